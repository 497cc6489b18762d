"""A folder of videos, any depth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, field_validator

from ..contract.errors import ClipError, Reason, Rejection, RunError
from ..contract.locations import RecipePath, media_of, path_of, printable
from ..contract.source import Source, SourceClip, SourceNote, SourceReject
from ..contract.text import clean
from ._root import VIDEO_EXTENSIONS, Root
from ._sidecars import ENDINGS, Sidecars
from ._tables.lines import known_encoding

_SHOWN = 12  # endings of files that were left aside


class Folder(Source):
    """Every video file below a folder, in the order of its sorted names; one clip a file.

    Hidden files and folders (a leading dot) are skipped. Symbolic links to folders are not followed, so that no loop is
    walked and no file listed twice; links to files are followed below the folder and into the blobs of the same
    Hugging Face cache, and refused where they leave it. At the end it says how many other files there were.
    """

    use: Literal["folder"] = "folder"
    path: RecipePath
    """The folder."""
    extensions: tuple[str, ...] = VIDEO_EXTENSIONS
    """What a video's name ends in; upper or lower case."""
    captions: bool = True
    """Take the file beside `name.mp4` as its source_caption: name.mp4.txt, name.txt, name.mp4.caption, name.caption,
    name.mp4.json or name.json (its caption, text or prompt), the first that is there, in upper or lower case."""
    encoding: Annotated[str, AfterValidator(known_encoding)] | None = None
    """Of the caption files, where they are not UTF-8 and have no byte order mark: cp1252, gb18030, ..."""

    @field_validator("extensions")
    @classmethod
    def _dotted(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        for extension in extensions:
            if not extension.startswith(".") or len(extension) < 2:
                raise ValueError(f"extension {extension!r} must begin with a dot, such as .mp4")
        return tuple(extension.lower() for extension in extensions)

    def described(self) -> list[tuple[str, str]]:
        Root(self.path, name="folder")
        return []

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject | SourceNote]:
        root = Root(self.path, name="folder")
        found = False
        aside: Counter[str] = Counter()
        for entry, sidecars in self._walk(root, aside):
            found = True
            yield entry if isinstance(entry, SourceReject) else self._clip(root, entry, sidecars)
        if not found:
            raise RunError(
                f"folder: no file below {self.path} ends in {', '.join(self.extensions)}; name others in `extensions`"
            )
        if aside:
            counts = [f"{clean(ending) or 'no ending'} {count}" for ending, count in sorted(aside.items())]
            more = ", ..." if len(counts) > _SHOWN else ""
            yield SourceNote(
                f"{aside.total()} files are neither videos nor their captions and were left aside: "
                f"{', '.join(counts[:_SHOWN])}{more}"
            )

    def _clip(self, root: Root, entry: os.DirEntry[str], sidecars: Sidecars) -> SourceClip | SourceReject:
        relative = os.path.relpath(entry.path, self.path)
        source_id = printable(relative)
        try:
            if entry.is_symlink():
                media = root.place(relative).media
            elif entry.is_file(follow_symlinks=False):
                media = media_of(entry.path)
            else:
                raise ClipError(Reason.REFUSED, "not a regular file")
            caption = sidecars.caption(entry.name, os.path.dirname(relative), root=root, encoding=self.encoding)  # noqa: PTH120
        except ClipError as error:
            return SourceReject(source_id, error.rejection)
        return SourceClip(source_id, media, source_caption=caption)

    def _walk(self, root: Root, aside: Counter[str]) -> Iterator[tuple[os.DirEntry[str] | SourceReject, Sidecars]]:
        """Videos, with the caption files of their folder; a folder at a time in memory. `aside` counts other files.

        No recursion: a path may be two thousand folders deep.
        """
        stack = [self._listing(os.fspath(self.path), root, aside)]
        while stack:
            entries, sidecars = stack[-1]
            if not entries:
                stack.pop()
                continue
            entry = entries.pop()
            if not entry.is_dir(follow_symlinks=False):
                yield entry, sidecars
                continue
            try:
                stack.append(self._listing(entry.path, root, aside))
            except OSError as error:
                source_id = printable(os.path.relpath(entry.path, self.path))
                detail = f"folder cannot be listed: {error.strerror}"
                yield SourceReject(source_id, Rejection(Reason.UNREADABLE, detail)), sidecars

    def _listing(self, folder: str, root: Root, aside: Counter[str]) -> tuple[list[os.DirEntry[str]], Sidecars]:
        """The folders and videos of a folder, the first to visit last; and its caption files."""
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
        entries.sort(key=lambda entry: os.fsencode(entry.name), reverse=True)
        shown, others, texts = list[os.DirEntry[str]](), list[str](), list[str]()
        for entry in entries:
            if entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112  (undecodable bytes)
                continue
            if (
                entry.is_dir(follow_symlinks=False)
                or entry.name.lower().endswith(self.extensions)
                or _is_animated(entry)
            ):
                shown.append(entry)
            elif self.captions and entry.name.lower().endswith(ENDINGS) and self._is_ours(entry, root):
                texts.append(entry.name)
            else:
                others.append(entry.name)
        sidecars = Sidecars([entry.name for entry in shown if not entry.is_dir(follow_symlinks=False)], texts)
        aside.update(os.path.splitext(name)[1].lower() for name in (*others, *sidecars.unused))  # noqa: PTH122
        return shown, sidecars

    def _is_ours(self, entry: os.DirEntry[str], root: Root) -> bool:
        """A regular file, or a link to one that may be read: a link could name any file."""
        try:
            place = root.place(os.path.relpath(entry.path, self.path))
        except ClipError:
            return False
        return os.path.isfile(path_of(place.media))  # noqa: PTH113


def _is_animated(entry: os.DirEntry[str]) -> bool:
    """Whether a .webp moves: then it is refused by name, while a still one is left aside like any picture."""
    if not entry.name.lower().endswith(".webp") or not entry.is_file(follow_symlinks=False):
        return False
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123  (undecodable bytes)
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and bool(head[20] & 2)
