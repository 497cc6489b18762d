"""Tables of a corpus, row by row: CSV, JSON lines, parquet. Never the whole table in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import Reason, Rejection, RunError
from .source import SourceReject

MAX_CELL = 8 << 20
"""Characters: the longest CSV cell. Python's own limit of 131,072 is too short for the lists of a day-long video."""
MAX_LINE = 64 << 20
"""Characters: a longer line is no table's."""

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
}  # fmt: skip
_LOOK_AHEAD = 100  # lines of a JSON-lines file that are read for its columns


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `place` names it for people: `line 17` (where it starts) or, in parquet, `row 17`; both from 1."""

    place: str
    cells: Mapping[str, Any]


def columns_of(path: Path) -> list[str]:
    """The table's columns: its header, parquet's schema, or every key in the first 100 JSON lines. Raises RunError."""
    kind = _kind(path)
    if kind == "parquet":
        return [str(name) for name in _parquet(path).schema_arrow.names]
    if kind == "csv":
        return _header(path, _csv_rows(path))
    keys: dict[str, None] = {}
    for record, _ in zip(_json_lines(path), range(_LOOK_AHEAD), strict=False):
        if isinstance(record, Record):
            keys.update(dict.fromkeys(record.cells))
    return list(keys)


def records(path: Path, columns: Sequence[str]) -> Iterator[Record | SourceReject]:
    """Every row with the columns asked for (None where a JSON line lacks one); a row that cannot be read is a reject.

    Raises RunError where the file is none, or lacks one of the columns.
    """
    found = columns_of(path)
    for name in columns:
        if name not in found:
            raise RunError(f"{path}: no column {name!r}; the table has {listed(found)}")
    kind = _kind(path)
    if kind == "parquet":
        yield from _parquet_records(path, columns)
    elif kind == "csv":
        yield from _csv_records(path)
    else:
        yield from _json_lines(path)


def listed(columns: Sequence[str]) -> str:
    """Column names for a message, whatever they are made of."""
    names = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    return names.encode("utf-8", "backslashreplace").decode("utf-8") or "none"


def bad(place: str, detail: str) -> SourceReject:
    return SourceReject(place, Rejection(Reason.BAD_ROW, detail))


def _kind(path: Path) -> str:
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise RunError(f"{path}: a table is a file that ends in {', '.join(_FORMATS)}; rename or convert it")
    if not path.is_file():
        raise RunError(f"{path}: no such table; correct the path")
    return kind


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends as they stand. Bytes that are no UTF-8 are kept (they may name a file)."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            while line := file.readline(MAX_LINE):
                if len(line) == MAX_LINE:
                    raise RunError(f"{path}: a line of more than {MAX_LINE} characters; is it a table?")
                yield line
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error


def _csv_rows(path: Path) -> Iterator[tuple[str, list[str] | None]]:
    """(place, cells) of each record that is not blank; None where it cannot be parsed."""
    csv.field_size_limit(MAX_CELL)  # process-wide, and only ever raised
    reader = csv.reader(_lines(path), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield place, None
        else:
            if row:
                yield place, row


def _header(path: Path, rows: Iterator[tuple[str, list[str] | None]]) -> list[str]:
    _, header = next(rows, ("", None))
    if header is None:
        raise RunError(f"{path}: no header line; the first line of a CSV names its columns")
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        raise RunError(f"{path}: a column is named twice in {listed(names)}")
    return names


def _csv_records(path: Path) -> Iterator[Record | SourceReject]:
    rows = _csv_rows(path)
    header = _header(path, rows)
    for place, row in rows:
        if row is None:
            yield bad(place, f"no CSV, or a cell of more than {MAX_CELL} characters")
        elif len(row) != len(header):
            yield bad(place, f"{len(row)} cells where the header has {len(header)}")
        else:
            yield Record(place, dict(zip(header, row, strict=True)))


def _json_lines(path: Path) -> Iterator[Record | SourceReject]:
    for index, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        place = f"line {index}"
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError):
            yield bad(place, "not JSON")
            continue
        yield Record(place, cells) if isinstance(cells, dict) else bad(place, "not a JSON object")


def _parquet(path: Path) -> Any:
    from pyarrow import ArrowException, parquet

    try:
        return parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise RunError(f"{path}: not a parquet file that can be read: {error}") from error


def _parquet_records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    from pyarrow import ArrowException

    index = 0
    try:
        for batch in _parquet(path).iter_batches(batch_size=1024, columns=list(columns)):
            for cells in batch.to_pylist():
                index += 1
                yield Record(f"row {index}", cells)
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: damaged after row {index}: {error}") from error
