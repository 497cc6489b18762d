from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.sources.pexels import Pexels
from shotscribe.builder.store.clips import row_of

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]
Reasons = Callable[..., list[tuple[str, str]]]


def answer(*ids: Any) -> dict[str, Any]:
    """A page as the API gives it."""
    videos = [
        {
            "id": found,
            "width": 1920,
            "height": 1080,
            "duration": 12,
            "url": f"https://www.pexels.com/video/a-dog-on-a-beach-{found}/",
            "image": f"https://images.pexels.com/videos/{found}/poster.jpeg",
            "user": {"id": 1, "name": "Ann Author", "url": "https://www.pexels.com/@ann"},
            "video_files": [{"id": 9, "quality": "hls", "file_type": "video/mp4", "link": "https://x/y.m3u8"}],
        }
        for found in ids
    ]
    return {"page": 1, "per_page": 80, "total_results": 2, "url": "https://api.pexels.com/videos/", "videos": videos}


def test_api_answers(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "videos/857195.mp4", "videos/12.mov")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "page-2.json").write_text(json.dumps(answer(12)))
    (pages / "page-1.json").write_text(json.dumps(answer(857195, 404)))
    source = Pexels(path=pages, videos=tmp_path / "videos")
    clips, rejects = split(source)
    assert [clip.source_id for clip in clips] == ["857195", "12"]
    assert clips[0].source_caption == "a dog on a beach"
    assert clips[0].source_url == "https://www.pexels.com/video/a-dog-on-a-beach-857195/"
    assert clips[0].extra == {"author": "Ann Author", "view_count": None}
    assert clips[1].media == str(tmp_path / "videos" / "12.mov")
    assert row_of(source, clips[0])["license"] == "pexels"
    assert reasons(rejects) == [("page-1.json video 2", "missing_file")]
    alone = Pexels(path=pages / "page-2.json", videos=tmp_path / "videos")
    assert [clip.source_id for clip in split(alone)[0]] == ["12"]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_pexels_400k_table(tmp_path: Path, split: Split, put: Put, reasons: Reasons, kind: str) -> None:
    put(tmp_path, "videos/857195.mp4", "videos/12.mp4", "videos/1234.mp4")
    rows = {
        "title": ["A Dog · Free Stock Video", "", "Plain", "No id"],
        "thumbnail": [
            "https://images.pexels.com/videos/857195/free-video-857195.jpg?auto=compress",
            "x",
            "https://images.pexels.com/videos/1234/a.jpeg",
            "",
        ],
        "video": [
            "https://www.pexels.com/download/video/857195/",
            "https://www.pexels.com/video/waves-at-night-12/",
            "https://player.example.com/external.mp4",
            "https://example.com/a.mp4",
        ],
        "view_count": [10, 20, 30, 40],
    }
    path = tmp_path / f"pexels.{kind}"
    table = pa.table(rows)
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        from pyarrow import csv

        csv.write_csv(table, path)
    clips, rejects = split(Pexels(path=path, videos=tmp_path / "videos"))
    assert [(clip.source_id, clip.source_caption, clip.extra["view_count"]) for clip in clips] == [
        ("857195", "A Dog", 10),
        ("12", "waves at night", 20),
        ("1234", "Plain", 30),
    ]
    assert reasons(rejects) == [("row 4" if kind == "parquet" else "line 5", "bad_row")]


def test_answers_that_are_none(tmp_path: Path, split: Split, put: Put, reasons: Reasons) -> None:
    put(tmp_path, "videos/1.mp4", "etc.mp4")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.json").write_text("{")
    (pages / "b.json").write_text('{"error": "rate limit"}')
    (pages / "c.json").write_text(json.dumps([7, *answer("../etc", True, None, "1")["videos"]]))
    clips, rejects = split(Pexels(path=pages, videos=tmp_path / "videos"))
    assert [clip.source_id for clip in clips] == ["1"]
    assert reasons(rejects) == [("a.json", "bad_row"), ("b.json", "bad_row")] + [
        (f"c.json video {index}", "bad_row") for index in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("url", "caption"),
    [
        ("https://www.pexels.com/video/857195/", None),
        ("https://www.pexels.com/video/top-10-sights-857195/?q=1", "top 10 sights"),
        ("https://www.pexels.com/de-de/video/katze-857195", "katze"),
        (None, None),
    ],
)
def test_words_of_an_address(tmp_path: Path, split: Split, put: Put, url: str | None, caption: str | None) -> None:
    put(tmp_path, "1.mp4")
    (tmp_path / "page.json").write_text(json.dumps({"videos": [{"id": 1, "url": url}]}))
    (clip,), _ = split(Pexels(path=tmp_path / "page.json", videos=tmp_path))
    assert clip.source_caption == caption


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    with pytest.raises(RunError, match=r"holds no .json files"):
        list(Pexels(path=tmp_path / "videos", videos=tmp_path / "videos").clips(tmp_path))
    with pytest.raises(RunError, match=r"holds no .json files"):
        list(Pexels(path=tmp_path / "gone", videos=tmp_path / "videos").clips(tmp_path))
    with pytest.raises(RunError, match=r"pexels videos: .* is not a folder"):
        list(Pexels(path=tmp_path, videos=tmp_path / "gone").clips(tmp_path))
