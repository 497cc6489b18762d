"""The local file of a clip, and whether it is still the one that was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..contract.address import identity
from ..contract.errors import ClipError, Reason, Rejection
from ..contract.locations import media_stat, path_of
from ..contract.urls import is_url

_OF_FILES = frozenset({Reason.UNREADABLE, Reason.DECODE_ERROR, Reason.NOT_A_VIDEO})
_CHUNK = 1 << 20


def media_file(media: str, folder: Path) -> str:
    """The local file of a `media` value: what an address names is fetched into `folder` before a stage needs it."""
    if not is_url(media):
        return path_of(media)
    return str(folder / hashlib.sha256(identity(media).encode()).hexdigest()[:32])


def check_unchanged(media: str, stat: str) -> None:
    """Raises ClipError unless the media is there, and is the file that was measured, by its `media_stat`.

    An empty one is not compared: it was fetched from an address into a folder of our own.
    """
    with reading():
        found = media_stat(path_of(media))
    if stat and found != stat:
        raise ClipError(Reason.UNREADABLE, "the file changed since it was measured; run again to measure it anew")


def blamed(rejection: Rejection, path: str) -> Rejection:
    """Why a clip of a file failed. If the file cannot be read to its end, its disk is to blame: a decoder tells a disk
    that is gone by the same errors as a file that ends early.
    """
    if rejection.reason not in _OF_FILES or rejection.passing:
        return rejection
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (undecodable bytes)
            while file.read(_CHUNK):
                pass
    except OSError as error:
        return Rejection(Reason.UNREADABLE, f"the file cannot be read: {error.strerror}", passing=True)
    return rejection


@contextmanager
def reading() -> Iterator[None]:
    """Errors of reading a file that was measured, as a ClipError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise ClipError(Reason.MISSING_FILE, "the file vanished since it was measured", passing=True) from None
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, f"the file cannot be read: {error.strerror}", passing=True) from None
