"""Tables on disk: column specs as Arrow schemas, and sealed Arrow files that are whole or not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ..contract.clip import Columns
from .files import write_atomically
from .seal import SEAL_BYTES, DamagedError, check_seal, drop, seal_of


def write_table(path: Path, table: pa.Table) -> None:
    """A sealed Arrow IPC file, whole or not there."""
    write_atomically(path, lambda temporary: _write(temporary, table, name=path))


def write_scratch(path: Path, table: pa.Table) -> None:
    """A sealed Arrow IPC file that nobody needs after a crash: no sync."""
    _write(path, table, name=path)


def _write(path: Path, table: pa.Table, *, name: Path) -> None:
    content = pa.BufferOutputStream()
    with pa.ipc.new_file(content, table.schema) as writer:
        writer.write_table(table)
    data = content.getvalue()
    with path.open("wb") as file:
        file.write(data)
        file.write(seal_of(data, name))


def read_table(path: Path) -> pa.Table:
    """A sealed Arrow IPC file, memory-mapped. Raises DamagedError, and OSError where it cannot be read."""
    if path.stat().st_size <= SEAL_BYTES:
        raise DamagedError(path)
    with pa.memory_map(str(path)) as source:
        data = source.read_buffer()
    size = check_seal(memoryview(data), path)
    return pa.ipc.open_file(pa.BufferReader(data.slice(0, size))).read_all()


def read_or_drop(path: Path) -> pa.Table | None:
    """A sealed Arrow IPC file that can be made again: None where it is not there, or was damaged and is removed."""
    try:
        return read_table(path)
    except FileNotFoundError:
        return None
    except DamagedError:
        drop(path)
        return None


def arrow_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of a column spec (see `clip.Columns`). "json", a JSON document as text, is a string to Arrow."""
    return pa.schema([pa.field(name, _arrow_type(spec, name)) for name, spec in columns.items()])


def _arrow_type(spec: object, name: str) -> pa.DataType:
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
