from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources._ego4d import Video, readable
from shotscribe.builder.sources.ego4d import Ego4d

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]
Reasons = Callable[..., list[tuple[str, str]]]

PLAIN = "001e3e4e-2743-47fc-8564-d5efd11f9e90"
REDACTED = "77cc4654-4eec-44c6-af05-dbdf71f9a401"
GONE = "ffffffff-0000-0000-0000-000000000000"


def video(uid: str, **changed: Any) -> dict[str, Any]:
    return {
        "video_uid": uid,
        "duration_sec": 100.0,
        "scenarios": ["Cooking", "Eating"],
        "video_metadata": {"fps": 30.0, "num_frames": 2985, "video_duration_sec": 99.5},
        "is_stereo": False,
        "has_redacted_regions": False,
        "redacted_intervals": [],
        **changed,
    }


def span(start: float, end: float) -> dict[str, float]:
    return {"start_sec": start, "end_sec": end}


@pytest.fixture
def download(tmp_path: Path, put: Put) -> Path:
    """A download of two of three videos, in the official layout."""
    intervals = [span(60, 70), span(10.0, 20.0), span(15, 30), span(95, 200)]
    videos = [
        video(GONE),
        video(REDACTED, has_redacted_regions=True, redacted_intervals=intervals),
        video(PLAIN),
    ]
    clips = [
        {"clip_uid": "clip-c", "video_uid": REDACTED, "video_start_sec": 25.0, "video_end_sec": 40.0},
        {"clip_uid": "clip-b", "video_uid": PLAIN, "video_start_sec": 5.0, "video_end_sec": 9.0},
        {"clip_uid": "clip-a", "video_uid": PLAIN, "video_start_sec": 0.0, "video_end_sec": 4.0},
        {"clip_uid": "clip-d", "video_uid": REDACTED, "video_start_sec": 30.0, "video_end_sec": 60.0},
        {"clip_uid": "clip-e", "video_uid": PLAIN, "video_start_sec": 9.0, "video_end_sec": 9.0},
        {"clip_uid": "clip-f", "video_uid": GONE, "video_start_sec": 0.0, "video_end_sec": 9.0},
        {"clip_uid": "clip-g", "video_uid": "nowhere", "video_start_sec": 0.0, "video_end_sec": 9.0},
        {"clip_uid": "../../etc", "video_uid": PLAIN, "video_start_sec": 0.0, "video_end_sec": 9.0},
    ]
    put(tmp_path, f"v2/full_scale/{PLAIN}.mp4", f"v2/video_540ss/{REDACTED}.mp4", "v2/clips/clip-a.mp4")
    (tmp_path / "v2" / "ego4d.json").write_text(json.dumps({"videos": videos, "clips": clips}))
    return tmp_path


def narrate(download: Path, narrations: dict[str, Any]) -> None:
    folder = download / "v2" / "annotations"
    folder.mkdir(exist_ok=True)
    (folder / "narration.json").write_text(json.dumps(narrations))


def test_whole_videos_without_what_was_redacted(download: Path, split: Split, reasons: Reasons) -> None:
    clips, rejects = split(Ego4d(root=download, mode="videos"))
    assert [(clip.source_id, clip.start, clip.end) for clip in clips] == [
        (PLAIN, None, None),
        (REDACTED, 0.0, 10.0),
        (REDACTED, 30.0, 60.0),
        (REDACTED, 70.0, 95.0),
    ]
    assert clips[0].media.endswith(f"full_scale/{PLAIN}.mp4")
    assert clips[1].media.endswith(f"video_540ss/{REDACTED}.mp4")
    assert clips[0].extra == {"scenarios": ["Cooking", "Eating"]}
    assert reasons(rejects) == [(GONE, "missing_file")]


def test_annotated_clips(download: Path, split: Split, reasons: Reasons) -> None:
    clips, rejects = split(Ego4d(root=download))
    assert [(clip.source_id, clip.start, clip.end) for clip in clips] == [
        ("clip-a", None, None),  # in clips/
        ("clip-b", 5.0, 9.0),  # cut from the video
        ("clip-d", 30.0, 60.0),  # between two redacted intervals
    ]
    assert reasons(rejects) == [
        ("clip_uid 7", "bad_row"),
        ("clip-c", "excluded"),
        ("clip-e", "out_of_range"),
        ("clip-f", "missing_file"),
        ("clip-g", "bad_row"),
    ]
    assert rejects[1].rejection.detail == "touches the redacted interval 15-30 s"


def test_windows_around_narrations(download: Path, split: Split, reasons: Reasons) -> None:
    told = [
        {"timestamp_sec": 1.0, "narration_text": "#C C opens the #unsure", "annotation_uid": "x"},
        {"timestamp_sec": 50.0, "narration_text": "#C C  picks a bag ", "timestamp_frame": 1500},
        {"timestamp_sec": 50.0, "narration_text": "#O man X sits"},
        {"timestamp_sec": 99.0, "narration_text": "#summary C cooked"},
        {"timestamp_sec": 99.7, "narration_text": "#C C leaves"},
        {"timestamp_sec": "soon", "narration_text": "#C C leaves"},
        {"timestamp_sec": 3.0, "narration_text": " #C "},
        None,
    ]
    narrate(
        download,
        {
            PLAIN: {"status": "complete", "narration_pass_1": {"narrations": told, "summaries": []}},
            REDACTED: {"narration_pass_2": {"narrations": [{"timestamp_sec": 8.5, "narration_text": "#C C runs"}]}},
        },
    )
    clips, rejects = split(Ego4d(root=download, mode="narrations", window_s=4))
    assert [(clip.source_id, clip.start, clip.end, clip.source_caption) for clip in clips] == [
        (f"{PLAIN}/pass_1/00001", 48.0, 52.0, "The camera wearer picks a bag"),
        (f"{PLAIN}/pass_1/00002", 48.0, 52.0, "man X sits"),
        (f"{PLAIN}/pass_1/00003", 97.0, 99.5, "C cooked"),
    ]
    assert reasons(rejects) == [
        (f"{PLAIN}/pass_1/00000", "excluded"),
        (f"{PLAIN}/pass_1/00004", "out_of_range"),
        (f"{PLAIN}/pass_1/00005", "bad_row"),
        (f"{PLAIN}/pass_1/00006", "bad_row"),
        (f"{PLAIN}/pass_1/00007", "bad_row"),
        (GONE, "missing_file"),
    ]
    assert rejects[0].rejection.option == "unsure"
    both = Ego4d(root=download, mode="narrations", window_s=4, passes=(1, 2), unsure=True)
    clips, rejects = split(both)
    assert clips[0].source_caption == "The camera wearer opens the something"
    assert clips[0].start == 0.0
    assert (f"{REDACTED}/pass_2/00000", "excluded") in reasons(rejects)
    narrow = Ego4d(root=download, mode="narrations", window_s=2, passes=(2,))
    assert [clip.end for clip in split(narrow)[0]] == [9.5]


def test_only_the_uids_that_were_downloaded(download: Path, split: Split, reasons: Reasons) -> None:
    (download / "uids.txt").write_text(f"{PLAIN}\n")
    chosen = Ego4d(root=download, mode="videos", video_uid_file=download / "uids.txt")
    clips, rejects = split(chosen)
    assert [clip.source_id for clip in clips] == [PLAIN]
    assert rejects == []
    clips, rejects = split(Ego4d(root=download, video_uid_file=download / "uids.txt"))
    assert [clip.source_id for clip in clips] == ["clip-a", "clip-b"]
    (download / "uids.txt").write_text("other")
    with pytest.raises(RunError, match=r"none of the videos"):
        list(chosen.clips(download))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"redacted_intervals": "all"}, "bad_row"),
        ({"redacted_intervals": [{"start_sec": 1.0}]}, "bad_row"),
        ({"redacted_intervals": [{"start_sec": 1.0, "end_sec": "late"}]}, "bad_row"),
        ({"redacted_intervals": [span(5, 1)]}, "bad_row"),
        ({"has_redacted_regions": True}, "excluded"),
        ({"redacted_intervals": [span(5, 7)], "duration_sec": None, "video_metadata": None}, "bad_row"),
        ({"duration_sec": "long"}, "bad_row"),
        ({"is_stereo": True}, "excluded"),
    ],
)
def test_what_must_not_or_cannot_be_shown_is_rejected(
    tmp_path: Path, split: Split, put: Put, reasons: Reasons, changed: dict[str, Any], reason: str
) -> None:
    put(tmp_path, f"v2/full_scale/{PLAIN}.mp4")
    (tmp_path / "v2" / "ego4d.json").write_text(json.dumps({"videos": [video(PLAIN, **changed)]}))
    clips, rejects = split(Ego4d(root=tmp_path, mode="videos"))
    assert clips == []
    assert reasons(rejects) == [(PLAIN, reason)]


def test_missing_parts_of_the_download(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"ego4d: .* is not a folder"):
        list(Ego4d(root=tmp_path).clips(tmp_path))
    (tmp_path / "v2").mkdir()
    with pytest.raises(RunError, match=r"no .*ego4d.json; `root` is"):
        list(Ego4d(root=tmp_path).clips(tmp_path))
    (tmp_path / "v2" / "ego4d.json").write_text("{")
    with pytest.raises(RunError, match=r"cannot be read as JSON"):
        list(Ego4d(root=tmp_path).clips(tmp_path))
    (tmp_path / "v2" / "ego4d.json").write_text(json.dumps({"videos": [video(PLAIN)]}))
    with pytest.raises(RunError, match=r"has no clips"):
        list(Ego4d(root=tmp_path).clips(tmp_path))
    with pytest.raises(RunError, match=r"no .*narration.json; fetch it"):
        list(Ego4d(root=tmp_path, mode="narrations").clips(tmp_path))


edges = st.floats(0, 120).map(lambda value: round(value, 1))


@given(st.lists(st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair))), min_size=1))
def test_parts_and_redacted_intervals_make_up_the_video(spans: list[tuple[float, float]]) -> None:
    whole = Video("v", tuple(sorted(spans)), 100.0, ())
    parts = whole.parts()
    assert parts == sorted(parts)
    for tenth in range(1000):
        moment = tenth / 10 + 0.05  # between the edges
        shown = sum(start < moment < end for start, end in parts)
        hidden = any(start < moment < end for start, end in spans)
        assert shown == (0 if hidden else 1)
    for start, end in parts:
        assert 0 <= start < end <= 100
        whole.check_clear(start, end)


def test_tags() -> None:
    assert readable("#c c walks #unsure.") == "The camera wearer walks something."
    assert readable("#O A lady B #Unsure talks") == "A lady B something talks"
    assert readable("C walks") == "C walks"
