"""One WebDataset tar: `<clip_id>.mp4`, `.txt` and `.json` of each clip, side by side, in this order.

Same members, same bytes: mtime, uid and gid are 0, the mode is 0644, no names of users. Headers are POSIX ones, with an
extended header only for a member of more than 8 GiB.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .clip import media_version, path_of, printable
from .errors import ClipError, Reason, RunError
from .files import sync, write_atomically

VERSION = 1
"""Goes into the identity of a tar: to be raised when the same entries give other bytes."""

_BLOCK = 512
_END = 2 * _BLOCK
_CHUNK = 1 << 20
_AT_ONCE = 1 << 30  # the system call's own limit is 2 GiB

OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""Errors of a place that is written to: never the fault of a file that is read."""


@dataclass(frozen=True, slots=True)
class Video:
    """Bytes of an mp4 in a file (`media` as `clip.media_of` gives it).

    `version`: the `media_version` that a corpus's file must have; None for a file of our own.
    """

    media: str
    offset: int
    size: int
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a tar. No `video`: published by reference. No `text`: there is no main caption."""

    clip_id: str
    cut_key: str
    video: Video | None
    text: bytes | None
    record: bytes


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


def entry_bytes(entry: Entry) -> int:
    """What an entry takes up in a tar: headers, contents, padding."""
    return sum(len(_header(name, size)) + _padded(size) for name, size in _members(entry))


def tar_bytes(entries_bytes: int) -> int:
    """The size of a tar of entries that take up so many bytes: with the end mark, in whole records as tar has it."""
    return -(-(entries_bytes + _END) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def write_tar(target: Path, entries: Sequence[Entry]) -> Written:
    """Write the entries, whole or not at all, and durably. Raises GoneError; OSError if the output cannot be written.

    Media is copied inside the kernel (2 to 4 times the speed of a read and write loop) and hashed from the page cache
    while the disk is still busy with fsync.
    """
    written: list[Written] = []

    def write(temporary: Path) -> None:
        with temporary.open("wb", buffering=0) as tar:
            videos = _write_entries(tar.fileno(), entries)
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(_sha256, temporary)
            sync(temporary)
        written.append(Written(len(entries), temporary.stat().st_size, digest.result(), videos))

    write_atomically(target, write)
    return written[0]


def _write_entries(tar: int, entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    """All members and the end mark; returns where each mp4 lies. Raises GoneError, with all that are gone."""
    videos: list[tuple[str, int, int]] = []
    gone: dict[str, ClipError] = {}
    pending, at = bytearray(), 0
    for entry in entries:
        for name, size in _members(entry):
            pending += _header(name, size)
            if entry.video is not None and name.endswith(".mp4"):
                try:
                    if gone:
                        _check(entry.video)
                        continue
                    at += _write(tar, pending)
                    pending.clear()
                    _copy(tar, entry.video)
                except ClipError as error:
                    if entry.video.version is None:
                        raise _lost(entry.video, error) from error
                    gone[entry.clip_id] = error
                videos.append((entry.cut_key, at, size))
                at += size
            else:
                pending += entry.record if name.endswith(".json") else entry.text or b""
            pending += bytes(_padded(size) - size)
    if gone:
        raise GoneError(gone)
    size = at + len(pending)
    pending += bytes(tar_bytes(size) - size)
    _write(tar, pending)
    return videos


def _members(entry: Entry) -> list[tuple[str, int]]:
    """Names and sizes, in order."""
    video = [] if entry.video is None else [(f"{entry.clip_id}.mp4", entry.video.size)]
    text = [] if entry.text is None else [(f"{entry.clip_id}.txt", len(entry.text))]
    return [*video, *text, (f"{entry.clip_id}.json", len(entry.record))]


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _copy(tar: int, video: Video) -> None:
    """Append the bytes. Raises ClipError if they cannot be read or are not the ones that were measured."""
    _check(video)
    with _reading():
        source = os.open(path_of(video.media), os.O_RDONLY)
    try:
        at, end = video.offset, video.offset + video.size
        while at < end:
            copied = _copy_some(tar, source, at, end - at)
            if copied == 0:
                raise ClipError(Reason.UNREADABLE, "the file ended early: it changed since it was measured")
            at += copied
    finally:
        os.close(source)
    _check(video)


def _copy_some(tar: int, source: int, at: int, size: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            if copied := os.copy_file_range(source, tar, min(size, _AT_ONCE), at):
                return copied
        except OSError as error:
            if error.errno in OUTPUT_ERRORS:
                raise
    with _reading():  # what the kernel cannot copy (another file system, an old kernel) or could not read
        data = os.pread(source, min(size, _CHUNK), at)
    return _write(tar, data)


def _write(tar: int, data: bytes | bytearray) -> int:
    left = memoryview(data)
    while left:
        left = left[os.write(tar, left) :]
    return len(data)


def as_it_is(media: str, version: str) -> Video:
    """A whole media file. Raises ClipError if it is not the one that was measured."""
    check_version(media, version)
    with _reading():
        return Video(media, 0, os.stat(path_of(media)).st_size, version)  # noqa: PTH116  (perhaps undecodable bytes)


def _check(video: Video) -> None:
    if video.version is not None:
        check_version(video.media, video.version)


def check_version(media: str, version: str) -> None:
    """Raises ClipError unless the media is there, and is the file that was measured."""
    with _reading():
        found = media_version(path_of(media))
    if found != version:
        raise ClipError(Reason.UNREADABLE, "the file changed since it was measured; run again to measure it anew")


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise ClipError(Reason.MISSING_FILE, "the file vanished since it was measured") from None
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, f"the file cannot be read: {error.strerror}") from None


def _lost(video: Video, error: ClipError) -> RunError:
    place = printable(path_of(video.media))
    return RunError(f"{place}: {error.rejection.detail}; something else writes there: stop it and run again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
