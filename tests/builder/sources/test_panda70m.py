from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources.panda70m import LICENSE, Panda70m
from shotscribe.builder.store.clips import row_of

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]
Reasons = Callable[..., list[tuple[str, str]]]

VIDEO = "-2yHu5qgTzM"
URL = f"https://www.youtube.com/watch?v={VIDEO}"
TIMES = "[['0:01:20.880', '0:01:23.983'], ['0:02:31.151', '0:02:34.320']]"
ROW = {
    "videoID": VIDEO,
    "url": URL,
    "timestamp": TIMES,
    "caption": '[\'A neuron, "big", in a black background.\', "It\'s a woman talking."]',
    "matching_score": "[0.451416015625, 0.4990234375]",
    "desirable_filtering": "['1_still_foreground_image', 'desirable']",
    "shot_boundary_detection": "[[['0:00:00', '0:00:03.0']], [['0:00:00', '0:00:01.1'], ['0:00:01.1', '0:00:03.1']]]",
}


def panda(folder: Path, *rows: dict[str, str]) -> Panda70m:
    with (folder / "panda.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "videos").mkdir(exist_ok=True)
    return Panda70m(path=folder / "panda.csv", videos=folder / "videos")


def test_one_clip_for_each_timestamp_pair(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, f"videos/{VIDEO}.webm")
    source = panda(tmp_path, ROW)
    clips, rejects = split(source)
    assert rejects == []
    assert [(clip.source_id, clip.start, clip.end) for clip in clips] == [
        (VIDEO, 80.88, 83.983),
        (VIDEO, 151.151, 154.32),
    ]
    assert [clip.source_caption for clip in clips] == [
        'A neuron, "big", in a black background.',
        "It's a woman talking.",
    ]
    assert clips[1].extra == {
        "matching_score": 0.4990234375,
        "desirable_filtering": "desirable",
        "shot_boundary_detection": '[["0:00:00", "0:00:01.1"], ["0:00:01.1", "0:00:03.1"]]',
    }
    rows = [row_of(source, clip) for clip in clips]
    assert len({row["clip_id"] for row in rows}) == 2
    assert {row["license"] for row in rows} == {LICENSE}
    assert {row["source_url"] for row in rows} == {URL}


def test_the_first_release_has_no_filtering_columns(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, f"videos/{VIDEO}.mp4")
    old = {name: ROW[name] for name in ("videoID", "url", "timestamp", "caption", "matching_score")}
    clips, _ = split(panda(tmp_path, old))
    assert [clip.extra["desirable_filtering"] for clip in clips] == [None, None]
    assert [clip.extra["shot_boundary_detection"] for clip in clips] == [None, None]


def test_a_video_that_could_not_be_had(tmp_path: Path, split: Split, reasons: Reasons) -> None:
    clips, rejects = split(panda(tmp_path, ROW))
    assert clips == []
    assert reasons(rejects) == [(VIDEO, "missing_file")] * 2
    assert [reject.start for reject in rejects] == [80.88, 151.151]


@pytest.mark.parametrize(
    ("changed", "reason", "detail", "count"),
    [
        ({"videoID": "../../etc/x"}, "bad_row", "videoID", 1),
        ({"timestamp": "__import__('os').system('true')"}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": '[["0:00:01", "0:00:02"], null]'}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": "[" * 100_000}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": "-" * 100_000 + "1"}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": "+".join("1" * 50_000)}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": "not " * 50_000 + "1"}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": "'" * 99_999}, "bad_row", "timestamp is not a Python list", 1),
        ({"timestamp": ""}, "bad_row", "timestamp is not a Python list", 1),
        ({"caption": "['only one']"}, "bad_row", "caption has 1 values, timestamp has 2", 2),
        ({"desirable_filtering": "['desirable'] * 2"}, "bad_row", "desirable_filtering is not a Python list", 2),
        ({"matching_score": "['high', 'low']"}, "bad_row", "matching_score", 2),
        ({"shot_boundary_detection": "[b'x', ...]"}, "bad_row", "shot_boundary_detection", 2),
        ({"timestamp": "[['', 1], ['0:00:01', 'nan']]"}, "bad_row", "empty time", 2),
    ],
)
def test_rows_that_cannot_be(
    tmp_path: Path, split: Split, put: Put, changed: dict[str, str], reason: str, detail: str, count: int
) -> None:
    put(tmp_path, f"videos/{VIDEO}.mp4")
    clips, rejects = split(panda(tmp_path, {**ROW, **changed}, ROW))
    assert len(clips) == 2
    assert [str(reject.rejection.reason) for reject in rejects] == [reason] * count
    for reject in rejects:
        assert detail in reject.rejection.detail
        assert "line 2" in reject.rejection.detail + reject.source_id


def test_one_bad_pair_leaves_the_others(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, f"videos/{VIDEO}.mp4")
    times = "[['0:00:09.0', '0:00:02.0'], ['0:00:01.0', '0:00:02.0'], ['0:00:01.0'], ['soon', '0:00:02.0']]"
    four = {"caption": "['a', 'b', 'c', 'd']", "matching_score": "[1, 2, 3, 4]"}
    old = {"videoID": VIDEO, "url": URL, "timestamp": times, **four}
    clips, rejects = split(panda(tmp_path, old))
    assert [clip.source_caption for clip in clips] == ["b"]
    assert reasons(rejects) == [(VIDEO, "out_of_range"), (VIDEO, "bad_row"), (VIDEO, "bad_row")]


def test_times_in_seconds(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, f"videos/{VIDEO}.mp4")
    clips, _ = split(panda(tmp_path, {**ROW, "timestamp": "[[0, 2.2], (3, 4)]"}))
    assert [(clip.start, clip.end) for clip in clips] == [(0.0, 2.2), (3.0, 4.0)]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "other.mp4")
    source = panda(tmp_path, ROW)
    (tmp_path / "videos" / f"{VIDEO}.mp4").symlink_to(tmp_path / "other.mp4")
    assert reasons(split(source)[1]) == [(VIDEO, "refused")] * 2


def test_clips_that_the_official_downloader_cut(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "videos/00000/0000001_00000.mp4", "videos/00000/0000001_00001.mp4")
    sidecar = {"url": URL, "clips": "[('00:01:20.880', '00:01:23.983')]", "caption": "..."}
    (tmp_path / "videos/00000/0000001_00000.json").write_text(json.dumps(sidecar))
    (tmp_path / "videos/00000/0000001_00001.json").write_text(json.dumps({**sidecar, "url": "https://another"}))
    source = panda(tmp_path, {**ROW, "videoID": "gone"}, ROW)
    clips, rejects = split(source)
    assert [(clip.source_id, clip.start, clip.end) for clip in clips] == [(f"{VIDEO}/80.880-83.983", None, None)]
    assert clips[0].media.endswith("00000/0000001_00000.mp4")
    assert clips[0].extra["matching_score"] == 0.451416015625
    assert reasons(rejects) == [("gone", "missing_file"), ("gone", "missing_file"), (VIDEO, "missing_file")]


def test_missing_parts_of_the_corpus(tmp_path: Path) -> None:
    source = panda(tmp_path, {"videoID": VIDEO, "url": URL})
    with pytest.raises(RunError, match=r"no column 'timestamp'; the table has videoID, url"):
        list(source.clips(tmp_path))
    (tmp_path / "videos").rmdir()
    with pytest.raises(RunError, match=r"panda70m videos: .* is not a folder"):
        list(source.clips(tmp_path))
