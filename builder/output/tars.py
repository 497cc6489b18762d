"""One WebDataset tar: `<clip_id>.mp4`, `.txt` and `.json` of each clip, side by side, in this order.

Same members, same bytes: mtime, uid and gid are 0, the mode is 0644, no names of users. Headers are POSIX ones, with an
extended header only for a member of more than 8 GiB.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import ClipError, Rejection
from ..store.files import sync
from .extent import Extent, append

VERSION = 3
"""Goes into the identity of a tar: to be raised when the same entries give other bytes."""

_BLOCK = 512
_END = 2 * _BLOCK
_PENDING = 1 << 20  # bytes of texts that are written at once


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a tar. `digest`: of all that is in its members. No `video`: published by reference. No `text`: there
    is no main caption.
    """

    clip_id: str
    digest: int
    cut_key: str
    video: Extent | None
    text: bytes | None
    record: bytes

    def texts(self) -> list[tuple[str, bytes]]:
        """Names and contents of what comes after the video."""
        caption = [] if self.text is None else [(f"{self.clip_id}.txt", self.text)]
        return [*caption, (f"{self.clip_id}.json", self.record)]


@dataclass(frozen=True, slots=True)
class Written:
    """A complete tar. `videos`: (cut key, offset, size) of every mp4 in it."""

    rows: int
    bytes: int
    sha256: str
    videos: list[tuple[str, int, int]]


def tar_digest(digests: Iterable[int]) -> str:
    """Names a tar by the digests of its clips, in their order."""
    return hashlib.sha256(f"tar {VERSION} ".encode() + b"".join(digest.to_bytes(8) for digest in digests)).hexdigest()


def write_tar(target: Path, entries: Iterable[Entry]) -> tuple[Written, str, dict[str, Rejection]]:
    """Write the entries as they come, durably; what the tar is, its digest, and the clips that are not in it because
    their media vanished or changed meanwhile. Raises OSError if the target cannot be written.

    It is hashed from the page cache while the disk is busy with fsync.
    """
    with target.open("wb", buffering=0) as tar:
        videos, digests, gone = _write_entries(tar.fileno(), entries)
    with ThreadPoolExecutor(1) as beside:
        sha256 = beside.submit(sha256_of, target)
        sync(target)
    return Written(len(digests), target.stat().st_size, sha256.result(), videos), tar_digest(digests), gone


def _write_entries(
    tar: int, entries: Iterable[Entry]
) -> tuple[list[tuple[str, int, int]], list[int], dict[str, Rejection]]:
    """All members and the end mark; where each mp4 lies, the digests of the clips that are there, and what is not."""
    videos: list[tuple[str, int, int]] = []
    digests: list[int] = []
    gone: dict[str, Rejection] = {}
    at, pending = 0, bytearray()  # what is written; what comes after it
    for entry in entries:
        if entry.video is not None:
            begin = at + len(pending)
            pending += _header(f"{entry.clip_id}.mp4", entry.video.size)
            at += append(tar, pending)
            pending = bytearray()
            try:
                size = entry.video.copy_to(tar)
            except ClipError as error:
                gone[entry.clip_id] = error.rejection
                os.ftruncate(tar, begin)
                at = os.lseek(tar, begin, os.SEEK_SET)
                continue
            videos.append((entry.cut_key, at, size))
            at += size
            pending = bytearray(_padding(size))
        for name, data in entry.texts():
            pending += _header(name, len(data)) + data + _padding(len(data))
        if len(pending) > _PENDING:
            at += append(tar, pending)
            pending = bytearray()
        digests.append(entry.digest)
    pending += bytes(_END)
    append(tar, pending + bytes(-(at + len(pending)) % tarfile.RECORDSIZE))  # in whole records, as tar has it
    return videos, digests, gone


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
