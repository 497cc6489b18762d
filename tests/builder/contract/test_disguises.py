"""A file that stands for another, or is no caption, is known by how it begins; a caption never is."""

from __future__ import annotations

from pathlib import Path

import pytest
from shotscribe.builder.contract.disguises import no_caption, stand_in
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.source import SourceReject
from shotscribe.builder.media.container import open_media
from shotscribe.builder.sources.folder import Folder

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"
LINK = "../../../blobs/4d7a214614ab2935c943f9e0ff69d22eadbb8f32"
PAGE = "\n<!DOCTYPE html>\n<html><body>404: not found</body></html>"
STAND_INS = {POINTER: "a Git LFS pointer, not the file", LINK: "the text of a link", PAGE: "a web page"}
TEXTS = {
    "1\n00:00:00,000 --> 00:00:01,000\nHello\n": "subtitles",
    "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n": "subtitles",
    "{\\rtf1\\ansi A dog.}": "a word processor's file",
}


@pytest.mark.parametrize(("text", "what"), [*STAND_INS.items(), *TEXTS.items()])
def test_what_is_no_caption_is_rejected_by_name(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.txt").write_text(text)
    (reject,) = Folder(path=tmp_path).clips(tmp_path)
    assert isinstance(reject, SourceReject)
    assert reject.rejection.reason == Reason.BAD_ROW
    assert f"caption file a.txt: {what}" in reject.rejection.detail


@pytest.mark.parametrize(("text", "what"), STAND_INS.items())
def test_what_stands_for_a_video_says_so(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(ClipError, match=what) as refused:
        open_media(str(tmp_path / "a.mp4"))
    assert refused.value.rejection.reason == Reason.UNREADABLE


@pytest.mark.parametrize(
    "text",
    [
        "A dog runs.",
        "version 2 of a red car stands beside version 1",
        "../ and ./ are written on a blackboard",
        "1\nA dog runs.",
        "webvtt files scroll down a screen",
        "{red} is written on a wall",
    ],
)
def test_a_caption_is_none_of_them(text: str) -> None:
    assert stand_in(text) is None
    assert no_caption(text) is None
