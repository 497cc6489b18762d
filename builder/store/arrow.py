"""Tables on disk: column specs as Arrow schemas, and Arrow files that are whole or not there."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..contract.clip import Columns
from .files import write_atomically


def write_table(path: Path, table: pa.Table) -> None:
    """An Arrow IPC file, whole or not there."""

    write_atomically(path, lambda temporary: write_scratch(temporary, table))


def write_scratch(path: Path, table: pa.Table) -> None:
    """An Arrow IPC file that nobody needs after a crash: no sync."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path) -> pa.Table:
    """An Arrow IPC file, memory-mapped: columns that nobody reads cost nothing."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def read_or_drop(path: Path) -> pa.Table | None:
    """An Arrow IPC file that can be made again: one that is not there or is damaged is removed, and None."""
    try:
        return read_table(path)
    except pa.ArrowInvalid:
        pass
    except OSError as error:
        if error.errno not in (None, errno.ENOENT):  # none: a footer that Arrow cannot make sense of
            raise
    path.unlink(missing_ok=True)
    return None


def arrow_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of a column spec (see `clip.Columns`). "json", a JSON document as text, is a string to Arrow."""
    return pa.schema([pa.field(name, _arrow_type(spec, name)) for name, spec in columns.items()])


def _arrow_type(spec: Any, name: str) -> pa.DataType:
    if isinstance(spec, Mapping):
        return pa.struct([pa.field(key, _arrow_type(value, f"{name}.{key}")) for key, value in spec.items()])
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        if len(spec) != 1:
            raise ValueError(f"column {name}: {spec!r} is no list type; give the type of its items, as in ['float64']")
        return pa.list_(_arrow_type(spec[0], f"{name}[]"))
    if spec == "json":
        return pa.string()
    try:
        return pa.type_for_alias(str(spec))
    except ValueError:
        raise ValueError(f"column {name}: unknown type {spec!r}; give one like 'string', 'float64', 'int64'") from None
