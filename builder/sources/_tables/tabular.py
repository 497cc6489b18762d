"""Tables of a corpus, row by row: CSV, JSON, parquet. Never a whole table in memory, and no row lost without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from ...contract.clip import Row
from ...contract.errors import Reason, Rejection, RunError
from ...contract.source import SourceReject
from ...contract.text import clean
from .csv_rows import SEPARATORS, csv_head, csv_rows
from .json_maps import key_column, map_rows, no_rows
from .json_rows import Row as JsonRow
from .json_rows import is_list, json_lines, json_list
from .lines import encoding_of
from .parquet_rows import parquet_rows, parquet_schema

Kind = Literal["csv", "json lines", "json", "json map", "parquet"]

_FORMATS: Mapping[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "json lines", ".ndjson": "json lines", ".json": "json",
    ".parquet": "parquet",
}  # fmt: skip
_LISTING = """{path}: a list of files without a header is no table; make one of it and name that here:
  (echo path; cat {name}) > clips.csv
or, with the captions line by line in another file:
  (printf 'path\\ttext\\n'; paste {name} prompts.txt) > clips.tsv"""
_NO_TEXT = {
    b"\x1f\x8b": "is packed; let its name end in .gz",
    b"PAR1": "is parquet; let its name end in .parquet",
    b"PK\x03\x04": "is a zip file or a spreadsheet, no text; unpack it, or save it as CSV",
}
_LOOK_AHEAD = 100  # rows of JSON that are read for its columns


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `place` names it for people: `line 17` (where it starts) or `row 17`; both from 1."""

    place: str
    cells: Row


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written. `columns`: CSV's header, parquet's schema, or the keys of the first 100 objects of JSON;
    a column without a name is `Unnamed: 0` by its place. `comments`: lines above the header that begin with #.
    `key`: of a map in JSON, the column that its keys are."""

    path: Path
    kind: Kind
    encoding: str
    columns: tuple[str, ...]
    separator: str = ","
    comments: int = 0
    key: str = ""

    def described(self) -> str:
        if self.kind == "parquet":
            return "parquet"
        told = {
            "csv": f"CSV with {SEPARATORS.get(self.separator, ascii(self.separator))}",
            "json": "a list in JSON",
            "json map": f"a map in JSON, its keys as {self.key}",
        }
        skipped = f", below lines of comment ({self.comments})" if self.comments else ""
        return f"{told.get(self.kind, 'JSON, an object a line')}, in {self.encoding.upper()}{skipped}"


def layout_of(path: Path, encoding: str | None = None) -> Layout:
    """How the table is written, by its name and its first lines. Raises RunError."""
    kind = _kind(path)
    if kind == "parquet":
        return Layout(path, kind, "", tuple(str(name) for name in parquet_schema(path).names))
    named = _encoding(path, encoding)
    if kind == "csv":
        head = csv_head(path, named)
        return Layout(path, kind, named, head.columns, head.separator, head.comments)
    key = key_column(path, named) if kind == "json" else ""
    if key:
        kind = "json map"
    elif kind == "json" and not is_list(path, named):
        kind = "json lines"
    looked = [cells for _, cells in islice(_json_rows(path, kind, named, key), _LOOK_AHEAD)]
    rows = [cells for cells in looked if not isinstance(cells, str)]
    if problem := no_rows(looked, lines=kind == "json lines", name=path.name):
        raise RunError(f"{path}: {problem}")
    return Layout(path, kind, named, tuple(dict.fromkeys(name for cells in rows for name in cells)), key=key)


def _json_rows(path: Path, kind: Kind, encoding: str, key: str) -> Iterator[JsonRow]:
    if kind == "json map":
        return map_rows(path, encoding, key=key)
    return json_list(path, encoding) if kind == "json" else json_lines(path, encoding)


def records(layout: Layout, columns: Sequence[str], *, media: str | None = None) -> Iterator[Record | SourceReject]:
    """Every row with the columns asked for (None where an object lacks one); a row that cannot be read is a reject.

    `media`: the column of paths or addresses; a CSV needs it to tell a row from a line of a caption. Raises RunError
    where a column is missing.
    """
    for name in columns:
        if name not in layout.columns:
            raise RunError(f"{layout.path}: no column {name!a}; the table has {listed(layout.columns)}")
    if layout.kind == "csv":
        yield from _csv_records(layout, media)
        return
    if layout.kind == "parquet":
        rows = parquet_rows(layout.path, columns, media=media)
    else:
        rows = _json_rows(layout.path, layout.kind, layout.encoding, layout.key)
    for place, cells in rows:
        yield bad(place, cells) if isinstance(cells, str) else Record(place, cells)


def listed(columns: Sequence[str]) -> str:
    """Column names for a message, whatever they are made of."""
    names = ", ".join(clean(name)[:60] for name in columns[:20]) + (", ..." if len(columns) > 20 else "")
    return names or "none"


def bad(place: str, detail: str) -> SourceReject:
    return SourceReject(place, Rejection(Reason.BAD_ROW, detail))


def _kind(path: Path) -> Kind:
    name = path.name.lower()
    kind = _FORMATS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None and name.endswith(".txt"):
        raise RunError(_LISTING.format(path=path, name=path.name))
    if kind is None:
        raise RunError(f"{path}: a table is a file that ends in {', '.join(_FORMATS)} (or .gz); rename or convert it")
    if not path.is_file():
        raise RunError(f"{path}: no such table; correct the path")
    if kind == "parquet" and name.endswith(".gz"):
        raise RunError(f"{path}: parquet is packed within; unpack the file with gunzip")
    return kind


def _encoding(path: Path, named: str | None) -> str:
    if path.suffix.lower() == ".gz":
        return named or "utf-8"  # its mark is found when it is unpacked
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    if what := next((what for mark, what in _NO_TEXT.items() if head.startswith(mark)), None):
        raise RunError(f"{path}: {what}")
    return encoding_of(head, named)[0]


def _csv_records(layout: Layout, media: str | None) -> Iterator[Record | SourceReject]:
    for number, row in csv_rows(layout.path, layout.encoding, media=media):
        place = f"line {number}"
        if isinstance(row, str):
            yield bad(place, row)
        elif len(row) != len(layout.columns):
            yield bad(place, f"{len(row)} cells where the header has {len(layout.columns)}")
        else:
            yield Record(place, dict(zip(layout.columns, row, strict=True)))
