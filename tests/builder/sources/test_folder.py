from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import clip_id
from shotscribe.builder.contract.errors import ClipError, RunError
from shotscribe.builder.contract.locations import path_of
from shotscribe.builder.contract.source import SourceClip, SourceNote
from shotscribe.builder.sources.folder import Folder
from shotscribe.builder.store.clips import row_of

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
        "media_version": None,
        "media_stat": f"{stat.st_size}-{stat.st_mtime_ns}",
        "start": None,
        "end": None,
        "source_caption": None,
    }
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(ClipError, match="no such file"):
        row_of(source, clip)


def test_caption_files_of_every_kind(tmp_path: Path, put: Put) -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    texts = {
        "UPPER.TXT": "upper",
        f"{apart}.txt": "other form",
        "ext.mp4.txt": "whole name",
        "ext.txt": "stem",
        "cap.caption": "caption",
        "vid.json": '{"id": 1, "Caption": "json"}',
        "none.txt": " N/A\n",
        "meta.json": '{"fps": 24}',
        "two.txt": "one\r\n\r\ntwo\x1b[0m",
    }
    put(tmp_path, *(f"{name}.mp4" for name in (composed, "ext", "cap", "vid", "none", "meta", "two")), "UPPER.MP4")
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8", newline="")
    (tmp_path / "wide.mp4").write_bytes(b"x")
    (tmp_path / "wide.txt").write_bytes("caf\xe9".encode("utf-16"))
    source = Folder(path=tmp_path)
    rows = [row_of(source, clip) for clip in source.clips(tmp_path) if isinstance(clip, SourceClip)]
    assert {row["source_id"]: row["source_caption"] for row in rows} == {
        "UPPER.MP4": "upper",
        f"{composed}.mp4": "other form",
        "ext.mp4": "whole name",
        "cap.mp4": "caption",
        "vid.mp4": "json",
        "none.mp4": None,
        "meta.mp4": None,
        "two.mp4": "one two",
        "wide.mp4": "caf\xe9",
    }


def test_a_json_file_with_a_list_of_captions(tmp_path: Path, split: Split, put: Put) -> None:
    """One of them is the caption; of several, nobody knows which."""
    frames = [{"idx": "0", "content": "a frame"}, {"idx": "-1", "content": "the clip"}]
    texts = {
        "one": ["one"],
        "held": {"captions": ["held"]},
        "frames": {"captions": frames},
        "two": {"caption": ["a dog", "a cat"]},
        "whole": ["a dog", "a cat"],
        "written": {"caption": "['a dog', 'a cat']"},
        "none": [],
    }
    put(tmp_path, *(f"{name}.mp4" for name in texts))
    for name, value in texts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    clips, rejects = split(Folder(path=tmp_path))
    captions = {clip.source_id: clip.source_caption for clip in clips}
    assert captions == {"one.mp4": "one", "held.mp4": "held", "frames.mp4": "the clip", "none.mp4": None}
    assert [reject.rejection.detail for reject in rejects] == [
        f"caption file {name}.json: 2 captions; leave one there, or list the clips in a table, where a clip may have "
        "several"
        for name in ("two", "whole", "written")
    ]


def test_each_has_its_own_before_one_is_found_by_another_case(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4", "A.MP4")
    (tmp_path / "a.txt").write_text("small")
    assert [clip.source_caption for clip in split(Folder(path=tmp_path))[0]] == [None, "small"]
    (tmp_path / "A.TXT").write_text("large")
    assert [clip.source_caption for clip in split(Folder(path=tmp_path))[0]] == ["large", "small"]


def test_a_caption_file_that_cannot_be_read_as_text(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "a.mp4")
    (tmp_path / "a.txt").write_bytes(b"one\ncaf\xe9")
    _, (reject,) = split(Folder(path=tmp_path))
    assert reject.rejection.detail.startswith("caption file a.txt: line 2 is not UTF-8: byte 0xe9; ")
    (clip,), _ = split(Folder(path=tmp_path, encoding="cp1252"))
    assert clip.source_caption == "one\ncaf\xe9"
    with pytest.raises(ValidationError, match="is not known; give one like"):
        Folder(path=tmp_path, encoding="ansi-1")


def test_one_caption_file_for_two_videos(tmp_path: Path, split: Split, put: Put) -> None:
    put(tmp_path, "same.mov", "same.mp4")
    (tmp_path / "same.txt").write_text("of which?")
    clips, rejects = split(Folder(path=tmp_path))
    assert (clips, len(rejects)) == ([], 2)
    assert "name it same.mov.txt" in rejects[0].rejection.detail
    (tmp_path / "same.txt").rename(tmp_path / "same.mov.txt")
    assert [clip.source_caption for clip in split(Folder(path=tmp_path))[0]] == ["of which?", None]


def test_what_is_left_aside_is_counted(tmp_path: Path, put: Put) -> None:
    put(tmp_path, "a.mp4", "a.txt", "a.srt", "b.SRT", "sub/c.pdf", "sub/d", "still.webp")
    (tmp_path / "moves.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02")
    *clips, note = Folder(path=tmp_path).clips(tmp_path)
    assert [clip.source_id for clip in clips if isinstance(clip, SourceClip)] == ["a.mp4", "moves.webp"]
    assert isinstance(note, SourceNote)
    assert note.text.endswith("were left aside: no ending 1, .pdf 1, .srt 2, .webp 1")


def test_a_folder_of_the_hugging_face_cache(
    tmp_path: Path, split: Split, put: Put, reasons: Callable[..., Any]
) -> None:
    """Links into the blobs of their own repository are followed, others are not."""
    put(tmp_path, "datasets--me--clips/blobs/aa", "datasets--me--other/blobs/bb", "secret")
    repository = tmp_path / "datasets--me--clips"
    (repository / "blobs" / "cc").write_text("a caption")
    (repository / "blobs" / "deep").mkdir()
    put(repository, "blobs/deep/dd", "refs/main")
    snapshot = repository / "snapshots" / "0123"
    (snapshot / "videos").mkdir(parents=True)
    targets = {
        "a.mp4": "../../../blobs/aa",
        "a.txt": "../../../blobs/cc",
        "other.mp4": "../../../../datasets--me--other/blobs/bb",
        "deep.mp4": "../../../blobs/deep/dd",
        "refs.mp4": "../../../refs/main",
        "secret.mp4": tmp_path / "secret",
        "b.mp4": "../../../blobs/aa",
        "b.txt": tmp_path / "secret",
    }
    for name, target in targets.items():
        (snapshot / "videos" / name).symlink_to(target)
    clips, rejects = split(Folder(path=snapshot))
    assert [(clip.source_id, clip.source_caption) for clip in clips] == [
        ("videos/a.mp4", "a caption"),
        ("videos/b.mp4", None),
    ]
    assert Path(clips[0].media).read_bytes() == b"x"
    assert reasons(rejects) == [(f"videos/{name}.mp4", "refused") for name in ("deep", "other", "refs", "secret")]
    assert "a link out of the folder of the corpus; copy the file in" in rejects[0].rejection.detail


@pytest.mark.parametrize("path", ["s3://bucket/videos", "gs://bucket", "hf://datasets/me/clips"])
def test_what_is_not_read_from_yet(path: str) -> None:
    with pytest.raises(ValidationError, match=r"://? is not read from yet; download or mount it"):
        Folder.model_validate({"use": "folder", "path": path})


def test_check_looks_whether_the_folder_is_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a folder; correct the path"):
        Folder(path=tmp_path / "missing").described()
