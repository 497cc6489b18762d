"""Rows of comma-separated values, read strictly: every line of the file is in a row or in a reject.

A quoted cell may run over lines. Where the quote that opened it is a stray one, it would take the rows after it along:
a cell is cut off, and the line on which it began rejected, as soon as one of its further lines would be a row by
itself, with as many cells as the header and a path or an address where the media stands; or where the quotes do not
come out. Reading goes on with the next line.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...contract.errors import RunError
from ...contract.urls import is_url
from .._root import VIDEO_EXTENSIONS
from .lines import Line, lines

MAX_CELL = 8 << 20
"""Characters: the longest cell. Python's own limit of 131,072 is too short for the lists of a day-long video."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

Row = tuple[int, list[str] | str]
"""The number of a row's first line, and its cells; or what is wrong with that line."""


class _Broken(Exception):
    """The record that is being read cannot be one."""


class _Feed:
    """Lines for a csv.reader; those of a record that broke, but for the first, come again."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._again: deque[Line] = deque()
        self._size = 0
        self.taken: list[Line] = []
        self.whole_row: Callable[[str], bool] = lambda text: False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self.taken.append(line)
        self._size += len(line.text)
        if len(self.taken) > 1 and line.fault is None and self.whole_row(line.text):
            raise _Broken(f"a quote is opened and not closed before line {line.number}, which is a row by itself")
        if line.fault is not None:
            raise _Broken(line.fault)
        if self._size > 2 * MAX_CELL:
            raise _Broken(f"a row of more than {2 * MAX_CELL >> 20} MiB")
        return line.text

    def begin(self) -> None:
        self.taken, self._size = [], 0

    def again(self) -> None:
        """All lines of the broken record but its first are read anew."""
        self._again.extendleft(reversed(self.taken[1:]))


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What stands above the rows. `comments`: lines that begin with # and were skipped."""

    columns: tuple[str, ...]
    separator: str
    comments: int


def csv_head(path: Path, encoding: str | None) -> CsvHead:
    """The header. Raises RunError."""
    return _opened(path, encoding)[0]


def csv_rows(path: Path, encoding: str | None, *, media: str | None) -> Iterator[Row]:
    """The rows below the header that are not blank. `media`: the column by which a row is known. Raises RunError."""
    head, feed, rows = _opened(path, encoding)
    place = head.columns.index(media) if media in head.columns else None
    feed.whole_row = _rule(len(head.columns), place, head.separator)
    return rows


def _opened(path: Path, encoding: str | None) -> tuple[CsvHead, _Feed, Iterator[Row]]:
    source = lines(path, encoding)
    first, comments, separator = _first_line(path, source)
    if separator is None:
        separator = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else _separator(first.text)
    feed = _Feed(_after(first, source))
    rows = _rows(feed, separator, skip_blanks=f"{separator} " in first.text and separator != "\t")
    _, header = next(rows, (0, "nothing"))
    if isinstance(header, str):
        raise RunError(f"{path}: no header line: {header}; the first line of a CSV names its columns")
    return CsvHead(_names(path, header), separator, comments), feed, rows


def _first_line(path: Path, source: Iterator[Line]) -> tuple[Line, int, str | None]:
    """The line of the header; how many comments stand above it; the separator, where a line `sep=;` says it (Excel)."""
    comments, separator = 0, None
    for line in source:
        if line.fault is not None:
            raise RunError(f"{path}: line {line.number} is {line.fault}")
        if "\0" in line.text:
            raise RunError(f"{path}: holds NUL characters; if it is UTF-16, say `encoding: utf-16-le` (or utf-16-be)")
        if told := re.fullmatch(r"sep=(.)\s*", line.text):
            separator = told[1]
        elif line.text.startswith("#"):
            comments += 1
        elif line.text.strip():
            return line, comments, separator
    raise RunError(f"{path}: no header line; the first line of a CSV names its columns")


def _after(first: Line, source: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from source


def _separator(header: str) -> str:
    """The one of comma, semicolon, tab and bar that the header has most of outside quotes; the comma if none."""
    bare = re.sub(r'"[^"]*+"', "", header)
    return max(SEPARATORS, key=bare.count)


def _names(path: Path, header: list[str]) -> tuple[str, ...]:
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise RunError(f"{path}: a column is named twice: {twice[0]!a}; rename one of them in the header")
    return tuple(name or f"Unnamed: {index}" for index, name in enumerate(names))


def _rows(feed: _Feed, separator: str, *, skip_blanks: bool) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)  # process-wide, and only ever raised
    reader = csv.reader(feed, delimiter=separator, strict=True, skipinitialspace=skip_blanks)
    while True:
        feed.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Broken) as error:
            feed.again()
            yield feed.taken[0].number, _explained(error)
        else:
            if row:
                yield feed.taken[0].number, row


def _explained(error: Exception) -> str:
    if "field larger" in str(error):
        return f"a cell of more than {MAX_CELL >> 20} MiB"
    if "unexpected end" in str(error):
        return "a quote is opened and never closed"
    return str(error) if isinstance(error, _Broken) else f"a stray quote: {error}"


def _rule(width: int, media: int | None, separator: str) -> Callable[[str], bool]:
    """Whether a line within a quoted cell is a row by itself. Without a column of media nothing can be said."""

    def whole_row(text: str) -> bool:
        if media is None or text.count(separator) < width - 1:
            return False
        try:
            cells = next(csv.reader([text], delimiter=separator), [])  # it may open a quote itself
        except csv.Error:
            return False
        return len(cells) == width and _names_media(cells[media])

    return whole_row


def _names_media(cell: str) -> bool:
    name = cell.strip().lower()
    return is_url(name) or name.endswith((*VIDEO_EXTENSIONS, ".gif", ".webp"))
