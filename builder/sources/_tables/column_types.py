"""The types of a table's other columns: what every value of a column is, so that a row is published as it was given.

CSV and JSON are read through for this where they are small; the columns of a larger one are text. A column whose values
differ in kind is text as well; lists and objects are JSON as text.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...contract.errors import ClipError, Reason
from .cells import number, text, written_list
from .tabular import Layout, Record, records

DType = Literal["string", "float64", "int64", "bool"]

READ_WHOLE = 64 << 20
"""Bytes of the largest CSV or JSON that is read for its types (packed: an eighth)."""

_LOOKED_AT = 100  # rows of a parquet file that are read for lists written as text

_INT = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_FLOAT = re.compile(r"-?\d+\.\d*(?:[eE][-+]?\d{1,3})?|-?\d+[eE][-+]?\d{1,3}|-?\.\d+", re.ASCII)
_NULL = frozenset({"", "nan", "null", "none"})


@dataclass(frozen=True, slots=True)
class Types:
    """`columns`: every column that any row has, and its type. `lists`: those in which a list of texts was seen (or may
    be, in what was not read). `whole`: every row was looked at."""

    columns: Mapping[str, DType]
    lists: frozenset[str]
    whole: bool
    left: Mapping[str, str] = field(default_factory=dict)
    """Columns that no row could be published with, and why."""


def types_of(layout: Layout) -> Types:
    """Raises RunError where the table cannot be read."""
    stat = layout.path.stat()
    return _types(layout, stat.st_size, stat.st_mtime_ns)


def value_of(cell: object, *, name: str, kind: DType, decimal_comma: bool = False) -> str | float | int | bool | None:
    """A cell as a value of its column's type. Raises ClipError (bad_row)."""
    if kind == "string":
        return text(cell) if isinstance(cell, str) or cell is None else _as_text(cell)
    if kind == "bool":
        said = text(cell)
        if said is None or said.lower() in _NULL:
            return None
        if said.lower() in ("true", "false"):
            return said.lower() == "true"
        raise ClipError(Reason.BAD_ROW, f"{name}: {ascii(said)[:40]} is neither true nor false")
    if kind == "int64" and isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < 2**63:
        return cell
    if kind == "int64" and isinstance(cell, str) and _INT.fullmatch(cell.strip()):
        return int(cell)
    value = number(cell, name=name, decimal_comma=decimal_comma)
    if value is None or kind == "float64":
        return value
    if value != int(value) or abs(value) >= 2**63:
        raise ClipError(Reason.BAD_ROW, f"{name}: {value:g} is no int64")
    return int(value)


def _as_text(cell: object) -> str | None:
    if isinstance(cell, float) and cell != cell:
        return None
    return (
        json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, list | dict | tuple | bool) else str(cell)
    )


@functools.lru_cache(maxsize=32)
def _types(layout: Layout, size: int, mtime_ns: int) -> Types:
    if layout.kind == "parquet":
        return _of_schema(layout)
    packed = layout.path.suffix.lower() == ".gz"
    if size > READ_WHOLE // (8 if packed else 1):
        names = frozenset(layout.columns)
        return Types(dict.fromkeys(layout.columns, "string"), names, whole=False)
    seen: dict[str, set[str]] = {name: set() for name in layout.columns}
    lists = set[str]()
    of = _of_csv if layout.kind == "csv" else _of_json
    for record in records(layout, ()):
        if isinstance(record, Record):
            for name, cell in record.cells.items():
                kinds = seen.setdefault(name, set())
                if "text" not in kinds:
                    kinds.add(of(cell, decimal_comma=layout.separator != ","))
                if name not in lists and _is_list(cell):
                    lists.add(name)
    return Types({name: _common(kinds) for name, kinds in seen.items()}, frozenset(lists), whole=True)


def _common(kinds: set[str]) -> DType:
    kinds = kinds - {"null"}
    if kinds == {"int"}:
        return "int64"
    if kinds == {"bool"}:
        return "bool"
    return "float64" if kinds and kinds <= {"int", "float"} else "string"


def _of_csv(cell: str, *, decimal_comma: bool) -> str:
    told = cell.strip()
    if _INT.fullmatch(told):
        return "int"
    if _FLOAT.fullmatch(told) or (decimal_comma and re.fullmatch(r"-?\d+,\d+", told, re.ASCII)):
        return "float"
    low = told.lower()
    return "null" if low in _NULL else "bool" if low in ("true", "false") else "text"


def _of_json(cell: object, *, decimal_comma: bool) -> str:
    if cell is None:
        return "null"
    if isinstance(cell, bool):
        return "bool"
    if isinstance(cell, int):
        return "int" if abs(cell) < 2**63 else "text"
    return "float" if isinstance(cell, float) else "text"


def _is_list(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.startswith("[") and written_list(cell) is not None
    return isinstance(cell, list)


def _of_schema(layout: Layout) -> Types:
    import pyarrow as pa

    from .parquet_rows import parquet_schema

    columns: dict[str, DType] = {}
    lists, left = set[str](), dict[str, str]()
    for entry in parquet_schema(layout.path):
        kind = entry.type.value_type if pa.types.is_dictionary(entry.type) else entry.type
        if "binary" in str(kind):  # also within a list or a struct
            left[entry.name] = "holds bytes"
        elif pa.types.is_boolean(kind):
            columns[entry.name] = "bool"
        elif pa.types.is_integer(kind) and kind != pa.uint64():
            columns[entry.name] = "int64"
        elif pa.types.is_floating(kind):
            columns[entry.name] = "float64"
        else:
            columns[entry.name] = "string"
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            lists.add(entry.name)
    texts = [name for name, kind in columns.items() if kind == "string" and name not in lists]
    for record, _ in zip(records(layout, texts), range(_LOOKED_AT), strict=False):
        if isinstance(record, Record):
            lists.update(name for name in texts if _is_list(record.cells[name]))
    return Types(columns, frozenset(lists), whole=True, left=left)
