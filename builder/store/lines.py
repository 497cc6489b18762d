"""Logs that are only ever added to: a JSON object a line, after its checksum.

A numpy array in it, such as an embedding, is its bytes in base64: as decimal numbers it would be four times as long and
take thirty times as long to write.

A line that is not as it was written loses itself alone; one that a kill cut short is cut off when the log is read.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..contract.identity import Json
from .seal import note

_PACKED = "base64:"  # before the type of the numbers


def line_of(entry: Mapping[str, object]) -> bytes:
    body = json.dumps(entry, default=_packed).encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


def read_lines(path: Path) -> list[Json]:
    """The entries of a log, none where there is none yet; what comes after the last whole line is removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    entries = [_entry(line) for line in whole.splitlines(keepends=True)]
    if None in entries:
        note(path)
    return [entry for entry in entries if entry is not None]


def write_line(handle: int, line: bytes, path: Path) -> None:
    """Raises OSError: a full disk may take half a line, and the next one would say so."""
    if os.write(handle, line) != len(line):
        raise OSError(28, os.strerror(28), str(path))


def _entry(line: bytes) -> Json | None:
    """What a line says, if it is as it was written."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    entry: Json = json.loads(body, object_hook=_unpacked)
    return entry


def _packed(array: object) -> dict[str, str]:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{type(array).__name__} cannot be logged")
    return {f"{_PACKED}{array.dtype.str}": base64.b64encode(array.tobytes()).decode()}


def _unpacked(found: Json) -> object:
    key = next(iter(found), "")
    if len(found) != 1 or not key.startswith(_PACKED):
        return found
    return np.frombuffer(base64.b64decode(found[key]), np.dtype(key.removeprefix(_PACKED)))
