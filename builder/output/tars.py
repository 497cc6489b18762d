"""One WebDataset tar: `<clip_id>.mp4`, `.txt` and `.json` of each clip, side by side, in this order.

Same members, same bytes: mtime, uid and gid are 0, the mode is 0644, no names of users. Headers are POSIX ones, with an
extended header only for a member of more than 8 GiB.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import ClipError
from ..store.files import sync, write_atomically
from .extent import Extent, append

VERSION = 1
"""Goes into the identity of a tar: to be raised when the same entries give other bytes."""

_BLOCK = 512
_END = 2 * _BLOCK


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a tar. No `video`: published by reference. No `text`: there is no main caption."""

    clip_id: str
    cut_key: str
    video: Extent | None
    text: bytes | None
    record: bytes

    def texts(self) -> list[tuple[str, bytes]]:
        """Names and contents of what comes after the video."""
        caption = [] if self.text is None else [(f"{self.clip_id}.txt", self.text)]
        return [*caption, (f"{self.clip_id}.json", self.record)]

    def bytes_in_tar(self) -> int:
        """What it takes up: headers, contents, padding."""
        members = [(name, len(data)) for name, data in self.texts()]
        if self.video is not None:
            members.append((f"{self.clip_id}.mp4", self.video.size))
        return sum(len(_header(name, size)) + size + len(_padding(size)) for name, size in members)


@dataclass(frozen=True, slots=True)
class Written:
    """A complete tar. `videos`: (cut key, offset, size) of every mp4 in it."""

    rows: int
    bytes: int
    sha256: str
    videos: list[tuple[str, int, int]]


class GoneError(Exception):
    """Clips whose media vanished or changed while the tar was written; there is no tar."""

    def __init__(self, clips: dict[str, ClipError]) -> None:
        super().__init__(clips)
        self.clips = clips


def tar_bytes(entries_bytes: int) -> int:
    """The size of a tar of entries that take up so many bytes: with the end mark, in whole records as tar has it."""
    return -(-(entries_bytes + _END) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def write_tar(target: Path, entries: Sequence[Entry]) -> Written:
    """Write the entries, whole or not at all, and durably. Raises GoneError; OSError if the target cannot be written.

    It is hashed from the page cache while the disk is busy with fsync.
    """
    written: list[Written] = []

    def write(temporary: Path) -> None:
        with temporary.open("wb", buffering=0) as tar:
            videos = _write_entries(tar.fileno(), entries)
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(sha256_of, temporary)
            sync(temporary)
        written.append(Written(len(entries), temporary.stat().st_size, digest.result(), videos))

    write_atomically(target, write)
    return written[0]


def _write_entries(tar: int, entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    """All members and the end mark; returns where each mp4 lies. Raises GoneError, with all clips that are gone."""
    videos: list[tuple[str, int, int]] = []
    gone: dict[str, ClipError] = {}
    at, pending = 0, bytearray()
    for entry in entries:
        if entry.video is not None:
            pending += _header(f"{entry.clip_id}.mp4", entry.video.size)
            try:
                if gone:
                    entry.video.check()
                else:
                    at += append(tar, pending)
                    videos.append((entry.cut_key, at, entry.video.size))
                    at += entry.video.copy_to(tar)
            except ClipError as error:
                gone[entry.clip_id] = error
            pending = bytearray(_padding(entry.video.size))
        for name, data in entry.texts():
            pending += _header(name, len(data)) + data + _padding(len(data))
    if gone:
        raise GoneError(gone)
    size = at + len(pending)
    append(tar, pending + bytes(tar_bytes(size) - size))
    return videos


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def sha256_of(path: Path) -> str:
    """64 hex digits of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
