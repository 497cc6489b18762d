"""Files that stand for others, or are of another kind than their names say: known by how they begin."""

from __future__ import annotations

import re

HEAD = 512
"""Bytes to look at."""

_POINTER = re.compile(r"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/")
_LINK = re.compile(r"(?:\.\./){1,100}[^\s/]{1,255}(?:/[^\s/]{1,255}){0,20}\s{0,2}")  # of a cache or an annex: no spaces
_PAGE = re.compile(r"\s{0,20}<(?:!doctype\s{1,9}html|html)\b", re.IGNORECASE)
_SUBTITLES = re.compile(r"WEBVTT\b|\s{0,20}\d{1,6}\s{0,3}\n\s{0,3}\d{1,2}:\d\d:\d\d[.,]\d{3}\s{1,3}-->")
_RICH = re.compile(r"\{\\rtf\d")


def stand_in(head: str) -> str | None:
    """What a file is that begins so, where it only stands for another or is what a server said instead of it.

    `head`: the first HEAD characters, or all.
    """
    if _POINTER.match(head):
        return "a Git LFS pointer, not the file; fetch that (git lfs pull)"
    if len(head) < HEAD and _LINK.fullmatch(head):
        return "the text of a link, not the file; copy or clone the folder with its links"
    return "a web page" if _PAGE.match(head) else None


def no_caption(text: str) -> str | None:
    """What a text file is that is no caption: as `stand_in`, subtitles, a word processor's file."""
    if _SUBTITLES.match(text):
        return "subtitles, no caption"
    return "a word processor's file (RTF), no plain text" if _RICH.match(text) else stand_in(text[:HEAD])
