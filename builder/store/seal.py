"""The seal of a file of state: a digest of its bytes at its end, checked whenever it is read.

A file that a disk, a kill or a hand has changed is never believed: it is removed, what it held is made again, and the
run says so.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from ..contract.errors import RunError
from ..contract.identity import canonical_json
from .files import write_bytes

_MAGIC = b"sealed\x00\x01"
_DIGEST = 16
SEAL_BYTES = len(_MAGIC) + _DIGEST

_lock = threading.Lock()
_damaged: list[Path] = []


class DamagedError(RunError):
    """A file of state is not as it was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: is not as it was written; run the same command again: it is made anew")


def seal_of(data: bytes | memoryview, path: Path) -> bytes:
    """What stands after these bytes in the file at `path`: another's file in its place is none of it."""
    return _MAGIC + _digest(data, path).digest()


def check_seal(data: memoryview, path: Path) -> int:
    """How many bytes stand before the seal. Raises DamagedError where it is not theirs."""
    size = len(data) - SEAL_BYTES
    if size < 0 or bytes(data[size:]) != seal_of(data[:size], path):
        raise DamagedError(path)
    return size


def _digest(data: bytes | memoryview, path: Path) -> hashlib.blake2b:
    digest = hashlib.blake2b(f"{path.parent.name}/{path.name}\n".encode(), digest_size=_DIGEST)
    digest.update(data)
    return digest


def drop(path: Path) -> None:
    """Remove a damaged file, and remember that it was."""
    path.unlink(missing_ok=True)
    note(path)


def note(path: Path) -> None:
    """Remember that a file, or a part of it, was damaged."""
    with _lock:
        _damaged.append(path)


def damaged() -> list[Path]:
    """The files that were found damaged since this was last asked."""
    with _lock:
        paths, _damaged[:] = _damaged.copy(), []
    return paths


def write_state(path: Path, value: object) -> None:
    """A JSON value as a sealed file, whole or not there: a line of JSON, a line with its digest."""
    body = canonical_json(value).encode()
    write_bytes(path, body + b"\n" + _digest(body, path).hexdigest().encode() + b"\n")


def read_state(path: Path) -> Any:
    """The value of a sealed file; None where it is not there, or was damaged and has been removed. Raises OSError."""
    try:
        body, _, digest = path.read_bytes().rstrip(b"\n").rpartition(b"\n")
    except FileNotFoundError:
        return None
    if digest == _digest(body, path).hexdigest().encode():
        return json.loads(body)
    drop(path)
    return None
