"""A folder of videos, any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from ..cells import text
from ..clip import media_of, printable
from ..errors import ClipError, Reason, Rejection, RunError
from ..places import VIDEO_EXTENSIONS, Root
from ..source import RecipePath, Source, SourceClip, SourceReject

_MAX_CAPTION_BYTES = 1 << 20


class Folder(Source):
    """Every video file below a folder, in the order of its sorted names; one clip a file.

    Hidden files and folders (a leading dot) are skipped. Symbolic links to folders are not followed, so that no loop is
    walked and no file listed twice; links to files are followed below the folder, and refused where they leave it.
    """

    use: Literal["folder"] = "folder"
    path: RecipePath
    """The folder."""
    extensions: tuple[str, ...] = VIDEO_EXTENSIONS
    """What a video's name ends in; upper or lower case."""
    captions: bool = True
    """Take `name.txt` beside `name.mp4` as its source_caption."""

    @field_validator("extensions")
    @classmethod
    def _dotted(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        for extension in extensions:
            if not extension.startswith(".") or len(extension) < 2:
                raise ValueError(f"extension {extension!r} must begin with a dot, such as .mp4")
        return tuple(extension.lower() for extension in extensions)

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        root = Root(self.path, name="folder")
        found = False
        for entry, texts in _walk(self.path):
            if isinstance(entry, SourceReject):
                found = True
                yield entry
            elif entry.name.lower().endswith(self.extensions):
                found = True
                yield self._clip(root, entry, texts)
        if not found:
            raise RunError(
                f"folder: no file below {self.path} ends in {', '.join(self.extensions)}; name others in `extensions`"
            )

    def _clip(self, root: Root, entry: os.DirEntry[str], texts: set[str]) -> SourceClip | SourceReject:
        source_id = printable(os.path.relpath(entry.path, self.path))
        try:
            if entry.is_symlink():
                media = root.place(os.path.relpath(entry.path, self.path)).media
            elif entry.is_file(follow_symlinks=False):
                media = media_of(entry.path)
            else:
                raise ClipError(Reason.REFUSED, "not a regular file")
            caption = _caption(entry, texts) if self.captions else None
        except ClipError as error:
            return SourceReject(source_id, error.rejection)
        return SourceClip(source_id, media, source_caption=caption)


def _walk(top: Path) -> Iterator[tuple[os.DirEntry[str] | SourceReject, set[str]]]:
    """Entries that are no folders, with the names of the .txt files beside them; a folder at a time in memory.

    No recursion: a path may be two thousand folders deep.
    """
    stack = [_listing(os.fspath(top))]
    while stack:
        entries, texts = stack[-1]
        if not entries:
            stack.pop()
            continue
        entry = entries.pop()
        if entry.is_dir(follow_symlinks=False):
            try:
                stack.append(_listing(entry.path))
            except OSError as error:
                source_id = printable(os.path.relpath(entry.path, top))
                detail = f"folder cannot be listed: {error.strerror}"
                yield SourceReject(source_id, Rejection(Reason.UNREADABLE, detail)), texts
        elif not (entry.is_symlink() and os.path.isdir(entry.path)):  # noqa: PTH112  (undecodable bytes)
            yield entry, texts


def _listing(folder: str) -> tuple[list[os.DirEntry[str]], set[str]]:
    """What is in a folder, the first to visit last; and its .txt files (no links: those could name any file)."""
    with os.scandir(folder) as found:
        entries = [entry for entry in found if not entry.name.startswith(".")]
    entries.sort(key=lambda entry: os.fsencode(entry.name), reverse=True)
    texts = {entry.name for entry in entries if entry.name.endswith(".txt") and entry.is_file(follow_symlinks=False)}
    return entries, texts


def _caption(entry: os.DirEntry[str], texts: set[str]) -> str | None:
    name = os.path.splitext(entry.name)[0] + ".txt"  # noqa: PTH122
    if name not in texts:
        return None
    try:
        with open(os.path.splitext(entry.path)[0] + ".txt", "rb") as file:  # noqa: PTH122, PTH123
            raw = file.read(_MAX_CAPTION_BYTES + 1)
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, f"caption file: {error.strerror}") from None
    if len(raw) > _MAX_CAPTION_BYTES:
        raise ClipError(Reason.LIMIT, f"caption file of more than {_MAX_CAPTION_BYTES} bytes")
    return text(raw.decode("utf-8-sig", "replace"))
