"""Where a corpus may point to: a file below its folder, or a public http(s) address. Nothing is opened here.

Tables come from strangers: `../../etc/passwd`, `file:`, `concat:`, a symbolic link out of the folder and the metadata
address of a cloud machine are refused with a reason, so that no reader downstream has to know about them.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import ClipError, Reason, RunError
from ..contract.locations import media_of, path_of, printable

VIDEO_EXTENSIONS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg",
    ".ts", ".mts", ".m2ts", ".3gp", ".flv", ".wmv", ".ogv", ".gif",
)  # fmt: skip
"""The usual video files, by the end of their name (lower case); the first is tried first."""


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SNAPSHOT = re.compile(r"(.*/(?:datasets|models|spaces)--[^/]+)/snapshots/[^/]+/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A file below a root: its path there, as text, and the absolute path as a `media` value."""

    source_id: str
    media: str


class Root:
    """A folder that media may lie in. `folder` may itself be a symbolic link. Raises RunError where it is none."""

    def __init__(self, folder: Path, *, name: str) -> None:
        if not folder.is_dir():
            raise RunError(f"{name}: {folder} is not a folder; correct the path or create it")
        self._real = os.path.realpath(folder)

    def place(self, path: str) -> Place:
        """A path of a corpus, relative to the root or absolute below it; it need not exist.

        Symbolic links are followed and must end below the root too, or, in a snapshot of the Hugging Face cache, in the
        blobs of its own repository. Raises ClipError (bad_row, refused).
        """
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            raise ClipError(Reason.BAD_ROW, "path is not text that a file can be named by") from None
        if not path or "\0" in path:
            raise ClipError(Reason.BAD_ROW, "path is empty or holds a NUL byte")
        if re.match(r"[A-Za-z]:[\\/]|\\\\\w", path):
            hint = "make it relative to the folder of the corpus"
            raise ClipError(Reason.REFUSED, f"a path of a Windows drive, which is not here: {hint}")
        if scheme := _SCHEME.match(path):
            hint = "only http and https addresses and files are read; write ./ before a file name with a colon"
            raise ClipError(Reason.REFUSED, f"`{scheme[0]}` is refused: {hint}")
        joined = os.path.join(self._real, path)  # noqa: PTH118  (undecodable bytes, and 10x faster)
        real = os.path.realpath(joined)
        if self._is_below(real):
            return Place(printable(os.path.relpath(real, self._real)), media_of(real))
        link = os.path.join(os.path.realpath(os.path.dirname(joined)), os.path.basename(joined))  # noqa: PTH118, PTH119, PTH120
        if not self._is_below(link) or not os.path.islink(link):  # noqa: PTH114
            raise ClipError(Reason.REFUSED, "path leaves the folder of the corpus")
        if not _in_own_blobs(link, real):
            raise ClipError(Reason.REFUSED, "a link out of the folder of the corpus; copy the file in")
        return Place(printable(os.path.relpath(link, self._real)), media_of(link))

    def _is_below(self, real: str) -> bool:
        return real.startswith(self._real.rstrip("/") + "/")

    def written(self, cell: str) -> Place:
        """The file that a cell of a table names: as it stands if it is there, else without blanks around it, with
        slashes for backslashes, in the other Unicode form, or with a usual ending. Raises ClipError."""
        place = self.place(cell)
        if os.path.exists(path_of(place.media)):  # noqa: PTH110
            return place
        for name in dict.fromkeys(_other_spellings(cell)):
            other = self.place(name)
            if os.path.exists(path_of(other.media)):  # noqa: PTH110
                return other
        if not os.path.splitext(cell)[1] and (found := self.find(cell.strip())):  # noqa: PTH122
            return found
        return self.place(cell.strip())

    def find(self, stem: str, extensions: tuple[str, ...] = VIDEO_EXTENSIONS) -> Place | None:
        """The file `<stem><extension>` below the root, if it is there. Raises ClipError where it leaves the root."""
        for extension in extensions:
            if os.path.exists(f"{self._real}/{stem}{extension}"):  # noqa: PTH110
                return self.place(f"{stem}{extension}")
        return None


def _in_own_blobs(link: str, real: str) -> bool:
    """Whether a link in `datasets--me--clips/snapshots/<revision>/` ends right in `datasets--me--clips/blobs/`."""
    snapshot = _SNAPSHOT.match(link)
    return snapshot is not None and os.path.dirname(real) == f"{snapshot[1]}/blobs"  # noqa: PTH120


def _other_spellings(cell: str) -> Iterator[str]:
    for name in (cell.strip(), cell.strip().replace("\\", "/")):
        yield name
        if not name.isascii():
            yield unicodedata.normalize("NFC", name)
            yield unicodedata.normalize("NFD", name)
