"""How a place is written: a media file in the table of clips, a path in a recipe."""

from __future__ import annotations

import hashlib
import math
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

_ESCAPED = "fsencoded:"
_END_BYTES = 1 << 20


def media_of(path: str | os.PathLike[str]) -> str:
    """A local path as a `media` value: itself, or escaped where it is not valid UTF-8 (Arrow strings must be)."""
    name = os.fsdecode(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return _ESCAPED + quote_from_bytes(os.fsencode(name), safe="/")
    return name


def path_of(media: str) -> str:
    """The local path of a `media` value; the inverse of `media_of`."""
    return os.fsdecode(unquote_to_bytes(media.removeprefix(_ESCAPED))) if media.startswith(_ESCAPED) else media


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text for an id or a message: valid UTF-8 always, bytes that are not shown as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


MediaIdentity = Literal["ends", "full"]
"""By what the content of a media file is known: its size and its first and last MiB, or all of it."""


def media_version(path: str | os.PathLike[str], identity: MediaIdentity) -> str:
    """The content of a local file: its size and a hash. Raises OSError.

    It stays the same where the file is touched, copied or moved. With `ends`, a change in the middle is not seen.
    """
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:  # noqa: PTH123  (undecodable bytes)
        size = os.fstat(file.fileno()).st_size
        if identity == "full" or size <= 2 * _END_BYTES:
            while chunk := file.read(_END_BYTES):
                digest.update(chunk)
        else:
            digest.update(file.read(_END_BYTES))
            file.seek(size - _END_BYTES)
            digest.update(file.read(_END_BYTES))
    return f"{size}-{identity}-{digest.hexdigest()}"


def media_stat(path: str | os.PathLike[str]) -> str:
    """Size and time of a local file: what tells a replaced file from the one that was listed. Raises OSError."""
    stat = os.stat(path)  # noqa: PTH116  (a path of undecodable bytes is no pathlib matter)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def media_size(version: str) -> float:
    """The bytes of the file that has a `media_version`; NaN for an address, of which they are not known."""
    size, dash, _ = version.partition("-")
    return float(size) if dash else math.nan


_REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://?")


def _local(path: object) -> object:
    """A path on this machine; what is not supported yet is said. Raises ValueError."""
    remote = _REMOTE.match(os.fspath(path)) if isinstance(path, str | os.PathLike) else None
    if remote:
        raise ValueError(
            f"{remote[1]}:// is not read from yet; download or mount it, and give the folder (an address of a single "
            "video may stand in a table)"
        )
    return path


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """`~` and environment variables expanded, relative to the recipe's folder (the context's "base") or the cwd."""
    try:
        expanded = os.path.expandvars(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{path}: there is no such user; write the path out") from None
    if "$" in expanded:
        raise ValueError(f"{path}: environment variable not set; export it or write the path out")
    base = (info.context or {}).get("base", Path.cwd())
    return Path(os.path.normpath(Path(base) / expanded))


RecipePath = Annotated[Path, BeforeValidator(_local), AfterValidator(_resolve)]
"""A path in a recipe: becomes absolute when the recipe is read."""
