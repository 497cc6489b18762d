from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.clip import clip_id, path_of
from shotscribe.builder.errors import ClipError, RunError
from shotscribe.builder.source import SourceClip
from shotscribe.builder.source_rows import row_of
from shotscribe.builder.sources.folder import Folder

Split = Callable[[Any], tuple[list[Any], list[Any]]]
Put = Callable[..., None]


def test_any_depth_sorted_with_captions(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "b.MP4", "a/z.mkv", "a/b/c.webm", "a.mov", "notes.pdf", "b.srt")
    (tmp_path / "a.txt").write_text("\ufeffA dog.\n", encoding="utf-8")
    (tmp_path / "a" / "z.txt").write_bytes(b"caf\xc3\xa9")
    clips, rejects = split(Folder(path=tmp_path))
    assert [clip.source_id for clip in clips] == ["a/b/c.webm", "a/z.mkv", "a.mov", "b.MP4"]
    assert [clip.source_caption for clip in clips] == [None, "caf\xe9", "A dog.", None]
    assert rejects == []
    assert [clip.source_caption for clip in split(Folder(path=tmp_path, captions=False))[0]] == [None] * 4


def test_chosen_extensions(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4", "b.MXF", "c.tar.mxf")
    clips, _ = split(Folder(path=tmp_path, extensions=(".mxf",)))
    assert [clip.source_id for clip in clips] == ["b.MXF", "c.tar.mxf"]
    with pytest.raises(ValidationError, match="must begin with a dot"):
        Folder(path=tmp_path, extensions=("mp4",))


def test_names_that_break_tools(tmp_path: Path, split: Split, put: Put) -> None:
    names = [
        "a b.mp4",
        'it"s.mp4',
        "it's.mp4",
        "v1.2.3.mp4",
        "🎬.mp4",
        "two\nlines.mp4",
        "-rf.mp4",
        "$(id).mp4",
        b"\xff\xfe.mp4",
    ]
    put(tmp_path, *names)
    put(tmp_path, "one/same.mp4", "two/same.mp4")
    clips, rejects = split(Folder(path=tmp_path))
    assert rejects == []
    assert len(clips) == len(names) + 2
    source = Folder(path=tmp_path)
    rows = [row_of(source, clip) for clip in clips]
    ids = [row["clip_id"] for row in rows]
    assert len(set(ids)) == len(ids)
    for row in rows:
        assert set(row["clip_id"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert Path(path_of(row["media"])).is_file()
        for value in (row["source_id"], row["media"]):
            value.encode("utf-8")  # what Arrow stores


def test_links_stay_below_the_folder_and_do_not_loop(
    tmp_path: Path, split: Split, put: Put, reasons: Callable[..., Any]
) -> None:
    root = tmp_path / "root"
    put(root, "real.mp4", "sub/clip.mp4")
    put(tmp_path, "outside.mp4", "secret")
    (root / "inside.mp4").symlink_to("sub/clip.mp4")
    (root / "leaves.mp4").symlink_to(tmp_path / "outside.mp4")
    (root / "loop").symlink_to(root)
    (root / "elsewhere").symlink_to(tmp_path)
    (root / "dangling.mp4").symlink_to("gone.mp4")
    (root / "self.mp4").symlink_to("self.mp4")
    (root / "real.txt").symlink_to(tmp_path / "secret")
    clips, rejects = split(Folder(path=root))
    assert [clip.source_id for clip in clips] == ["dangling.mp4", "inside.mp4", "real.mp4", "self.mp4", "sub/clip.mp4"]
    assert reasons(rejects) == [("leaves.mp4", "refused")]
    assert all(clip.source_caption is None for clip in clips)
    outcomes = {}
    for clip in clips:
        try:
            outcomes[clip.source_id] = row_of(Folder(path=root), clip)["media"]
        except ClipError as error:
            outcomes[clip.source_id] = str(error.rejection.reason)
    assert outcomes["inside.mp4"] == str(root / "sub" / "clip.mp4")
    assert outcomes["dangling.mp4"] == "missing_file"
    assert outcomes["self.mp4"] == "unreadable"


def test_a_folder_that_is_itself_a_link(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path / "real", "a.mp4")
    (tmp_path / "link").symlink_to("real")
    assert [clip.source_id for clip in split(Folder(path=tmp_path / "link"))[0]] == ["a.mp4"]


def test_hidden_and_special_files(tmp_path: Path, split: Split, put: Put, reasons: Callable[..., Any]) -> None:
    put(tmp_path, "a.mp4", ".hidden.mp4", ".cache/b.mp4", "dir.mp4/c.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    clips, rejects = split(Folder(path=tmp_path))
    assert [clip.source_id for clip in clips] == ["a.mp4", "dir.mp4/c.mp4"]
    assert reasons(rejects) == [("pipe.mp4", "refused")]


def test_deep_folders(tmp_path: Path) -> None:
    """Deeper than Python's recursion limit; taken down by hand, since rmtree recurses."""
    folders = [tmp_path]
    for _ in range(1050):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    (folders[-1] / "deep.mp4").write_bytes(b"x")
    clips = list(Folder(path=tmp_path).clips(tmp_path))
    (folders[-1] / "deep.mp4").unlink()
    for folder in reversed(folders[1:]):
        folder.rmdir()
    assert [clip.source_id for clip in clips] == ["d/" * 1050 + "deep.mp4"]


def test_a_caption_too_long_is_no_caption(tmp_path: Path, split: Split, put: Put, reasons: Callable[..., Any]) -> None:
    put(tmp_path, "a.mp4")
    (tmp_path / "a.txt").write_bytes(b"a" * (1 << 20) + b"b")
    assert reasons(split(Folder(path=tmp_path))[1]) == [("a.mp4", "limit")]


def test_nothing_there(tmp_path: Path, put: Put) -> None:
    with pytest.raises(RunError, match="is not a folder"):
        list(Folder(path=tmp_path / "missing").clips(tmp_path))
    put(tmp_path, "a.pdf")
    with pytest.raises(RunError, match="ends in"):
        list(Folder(path=tmp_path).clips(tmp_path))


def test_row_of_a_clip(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.mp4")
    source = Folder(path=tmp_path, license="cc-by-4.0")
    (clip,) = source.clips(tmp_path)
    assert isinstance(clip, SourceClip)
    row = row_of(source, clip)
    stat = (tmp_path / "a.mp4").stat()
    assert row == {
        "clip_id": clip_id("folder", "a.mp4", None, None),
        "source": "folder",
        "source_id": "a.mp4",
        "source_url": None,
        "license": "cc-by-4.0",
        "media": str(tmp_path / "a.mp4"),
        "media_version": f"{stat.st_size}-{stat.st_mtime_ns}",
        "start": None,
        "end": None,
        "source_caption": None,
    }
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(ClipError, match="no such file"):
        row_of(source, clip)
