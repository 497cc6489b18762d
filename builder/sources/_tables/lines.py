"""Text files of strangers, line by line or piece by piece: by their byte order mark, else as strict UTF-8.

A line that cannot be read is handed on with what is wrong with it, so that one bad byte costs one row.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...contract.errors import RunError

MAX_LINE = 16 << 20
"""Bytes: a longer line is a bad row, and is never held whole."""
_PIECE = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # UTF-32 before UTF-16, whose mark it begins with


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its end as it stands; or, where it cannot be read, an empty one and what is wrong. From 1."""

    number: int
    text: str
    fault: str | None = None


def known_encoding(name: str) -> str:
    """An encoding of text as an option names it. Raises ValueError."""
    try:
        "\n".encode(name)
        return {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(codecs.lookup(name).name, name)
    except (LookupError, UnicodeError):
        raise ValueError(f"encoding {name!r} is not known; give one like utf-8, cp1252, utf-16-le, gb18030") from None


def encoding_of(start: bytes, named: str | None) -> tuple[str, int]:
    """The encoding of a text by its first bytes, and the length of its byte order mark, which outdoes a name."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding, len(mark)
    return named or "utf-8", 0


def decoded(raw: bytes, encoding: str | None = None) -> str:
    """A whole small text. Raises ValueError saying where it is not of its encoding."""
    named, skipped = encoding_of(raw, encoding)
    try:
        return raw[skipped:].decode(named)
    except UnicodeDecodeError as error:
        line = raw.count("\n".encode(named), 0, skipped + error.start) + 1
        raise ValueError(f"line {line} is {_not(named, error)}") from None


def lines(path: Path, encoding: str | None = None) -> Iterator[Line]:
    """The lines of a file, ended by LF, CR LF or CR. `.gz` is unpacked on the way. Raises RunError."""
    number = 0
    with _opened(path) as file:
        named, skipped = encoding_of(file.read(4), encoding)
        file.seek(skipped)
        for raw in _raw_lines(file, "\n".encode(named)):
            number += 1
            if raw is None:
                yield Line(number, "", f"a line of more than {MAX_LINE >> 20} MiB")
                continue
            try:
                text = raw.decode(named)
            except UnicodeDecodeError as error:
                yield Line(number, "", _not(named, error))
                continue
            if "\r" not in text[:-2]:
                yield Line(number, text)
                continue
            ends = re.findall(r"[^\r\n]*+(?:\r\n?|\n)|[^\r\n]++", text)
            yield from (Line(number + index, one) for index, one in enumerate(ends))
            number += len(ends) - 1


def pieces(path: Path, encoding: str | None = None) -> Iterator[str]:
    """The text of a file in pieces of about a megabyte. Raises RunError, also where a byte is not of the encoding."""
    with _opened(path) as file:
        named, skipped = encoding_of(file.read(4), encoding)
        file.seek(skipped)
        decoder, line = codecs.getincrementaldecoder(named)("strict"), 1
        while True:
            raw = file.read(_PIECE)
            try:
                text = decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise RunError(f"{path}: line {line} is {_not(named, error)}") from None
            if text:
                yield text
            if not raw:
                return
            line += text.count("\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as unpacked:
                yield unpacked
        else:
            with path.open("rb") as file:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RunError(f"{path}: damaged, or no gzip file: {error}") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error


def _raw_lines(file: IO[bytes] | gzip.GzipFile, newline: bytes) -> Iterator[bytes | None]:
    """Lines as bytes, None for one that is too long. In UTF-16 and UTF-32 a line ends where a unit is the newline."""
    width = len(newline)
    held, too_long = bytearray(), False
    while piece := file.readline(MAX_LINE):
        held += piece
        if piece.endswith(b"\n") and len(held) % width:
            held += file.read(width - len(held) % width)
        if held.endswith(newline) and len(held) % width == 0:
            yield None if too_long else bytes(held)
            held, too_long = bytearray(), False
        elif len(held) >= MAX_LINE:
            too_long = True
            del held[: len(held) // width * width - width]
    if held:
        yield None if too_long else bytes(held)


def _not(encoding: str, error: UnicodeDecodeError) -> str:
    advice = "; if all of it is another encoding, name that: `encoding: cp1252`" if encoding == "utf-8" else ""
    return f"not {encoding.upper()}: byte 0x{error.object[error.start]:02x}{advice}"
