"""What a table names as a clip's media: a path or an address, or the object that Hugging Face's `Video` is stored as.

Such an object has `path` and `bytes`. Bytes are written to a file of the run's own, named by their content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ...contract.errors import ClipError, Reason
from ...contract.locations import media_of
from .._root import VIDEO_EXTENSIONS, Place
from .cells import words

_FOLDER = "table-media"
_OBJECT = re.compile(r"""\s{0,9}\{\s{0,9}["'](?:bytes|path)["']\s{0,9}:""")
_BEGINNINGS = ((4, b"ftyp", ".mp4"), (0, b"\x1a\x45\xdf\xa3", ".mkv"), (8, b"AVI ", ".avi"), (0, b"GIF8", ".gif"))


def media_in(cell: object, *, name: str, work: Path) -> str | Place:
    """A path or an address as text; or, where the cell holds bytes, the file that they now are in, below `work`.

    Raises ClipError (bad_row).
    """
    if isinstance(cell, Mapping) and {"bytes", "path"} & cell.keys():
        if isinstance(held := cell.get("bytes"), bytes) and held:
            return _written(held, path=cell.get("path"), work=work)
        if held is not None and held != b"":
            raise ClipError(Reason.BAD_ROW, f"{name!a}: bytes in text are not read; give the path, or write parquet")
        cell = cell.get("path")
    if not isinstance(cell, str) or words(cell) is None:
        raise ClipError(Reason.BAD_ROW, f"{name!a}: no path")
    if _OBJECT.match(cell):
        raise ClipError(Reason.BAD_ROW, f"{name!a}: an object as text, no path; write the path alone, or parquet")
    return cell


def _written(held: bytes, *, path: object, work: Path) -> Place:
    """The file appears under its name only when it is whole."""
    digest = hashlib.blake2b(held, digest_size=16).hexdigest()
    named = PurePosixPath(path.replace("\\", "/")).name if isinstance(path, str) else ""
    ending = PurePosixPath(named).suffix.lower()
    if ending not in VIDEO_EXTENSIONS:
        ending = next((end for at, mark, end in _BEGINNINGS if held.startswith(mark, at)), "")
    file = (work / _FOLDER / f"{digest}{ending}").absolute()
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            part.write_bytes(held)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return Place(f"{digest}/{named}" if named else file.name, media_of(file))
