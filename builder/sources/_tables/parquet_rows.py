"""Rows of a parquet file, in batches that fit into memory whatever a stranger put in.

Text is read dictionary-encoded, as it mostly lies in the file: a cell of 8 MB that a thousand rows share is held once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...contract.clip import Values
from ...contract.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_CELL = 8 << 20
"""Bytes: the longest text of a cell, and of one row's list of texts."""
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20
_MAX_CHUNK = 256 << 20
_MAX_EXPANSION = 500
_MAX_MEDIA = 1 << 30
"""Bytes of the media in one row group: its writer may have made one page of it, which is unpacked as a whole."""

Row = tuple[str, Values | str]
"""A row's place (`row 17`, from 1) and its cells; or what is wrong with it."""


def parquet_schema(path: Path) -> pa.Schema:
    """The Arrow schema. Raises RunError, also where two columns have one name."""
    schema = _file(path, ()).schema_arrow
    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise RunError(f"{path}: the column {twice[0]!a} is there twice; write it without one of them")
    return schema


def parquet_rows(path: Path, columns: Sequence[str], *, media: str | None = None) -> Iterator[Row]:
    """Every row with the columns asked for. Raises RunError where the file is damaged or expands without measure.

    `media`: the column whose cells may hold files in a field `bytes`; they are read one by one.
    """
    from pyarrow import ArrowException

    file = _file(path, columns)
    _check_expansion(path, file, columns)
    files = media if media is not None and _holds_files(file.schema_arrow.field(media).type) else None
    if files is not None:
        _check_media(path, file, files)
    index = 0
    try:
        for batch in file.iter_batches(batch_size=1 if files else _BATCH_ROWS, columns=list(columns)):
            for cells in _rows(batch, files):
                index += 1
                yield f"row {index}", cells
    except (ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        raise RunError(f"{path}: damaged after row {index}: {error}") from error


def _file(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    from pyarrow import ArrowException, parquet

    try:
        schema = parquet.ParquetFile(path).schema
        leaves = [schema.column(index) for index in range(len(schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        shared = [text for text in texts if text.split(".")[0] in columns and not text.endswith(".bytes")]
        return parquet.ParquetFile(path, read_dictionary=shared, pre_buffer=False)  # else all of it is read ahead
    except (ArrowException, OSError) as error:
        raise RunError(f"{path}: not a parquet file that can be read: {error}") from error


def _check_expansion(path: Path, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    for group in range(file.metadata.num_row_groups):
        for index in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(index)
            if chunk.path_in_schema.split(".")[0] not in columns:
                continue
            size, packed = chunk.total_uncompressed_size, max(1, chunk.total_compressed_size)
            if size > _MAX_CHUNK and size > _MAX_EXPANSION * packed:
                raise RunError(
                    f"{path}: the column {chunk.path_in_schema!a} unpacks from {packed} to {size} bytes; such a "
                    "file is not read: write it anew"
                )


def _holds_files(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) and any(field.name == "bytes" and _is_binary(field.type) for field in kind)


def _check_media(path: Path, file: pq.ParquetFile, media: str) -> None:
    for group in range(file.metadata.num_row_groups):
        chunks = map(file.metadata.row_group(group).column, range(file.metadata.num_columns))
        size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == f"{media}.bytes")
        if size > _MAX_MEDIA:
            raise RunError(
                f"{path}: row group {group + 1} holds {size} bytes of media in {media!a}, and may hold {_MAX_MEDIA}; "
                "write it anew with a row_group_size of 10, or save the files and name their paths"
            )


def _rows(batch: pa.RecordBatch, files: str | None) -> Iterator[Values | str]:
    """The rows of a batch, a few at a time where they are long; of `files`, a column, the length does not count."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    sizes = {name: _sizes(column) for name, column in columns if name != files}
    rows = [int(size) for size in sum(sizes.values(), np.zeros(batch.num_rows, np.int64))]
    first = 0
    while first < len(rows):
        long = next((name for name, size in sizes.items() if size[first] > MAX_CELL), None)
        if long is not None:
            yield f"{long!a}: a cell of more than {MAX_CELL >> 20} MiB"
            first += 1
            continue
        stop, held = first + 1, rows[first]
        while stop < len(rows) and held + rows[stop] <= _BATCH_BYTES:
            held, stop = held + rows[stop], stop + 1
        yield from _cells(batch.slice(first, stop - first))
        first = stop


def _cells(batch: pa.RecordBatch) -> Iterator[Values | str]:
    """The rows of a batch that fits; text is written out first, as Arrow is slow to look it up cell by cell.

    Bytes are text: Spark and others write it so. A number of 32 bits is the shortest that is read as it: 0.1, not
    0.10000000149, which would be another time.
    """
    import pyarrow as pa

    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    rows = pa.RecordBatch.from_arrays(columns, batch.schema.names)
    raw = [name for name, kind in zip(rows.schema.names, rows.schema.types, strict=True) if _is_binary(kind)]
    short = [name for name, kind in zip(rows.schema.names, rows.schema.types, strict=True) if _is_short(kind)]
    for cells in rows.to_pylist():
        cells.update({name: _shortest(cells[name]) for name in short})
        try:
            cells.update({name: cells[name].decode("utf-8") for name in raw if cells[name] is not None})
        except UnicodeDecodeError as error:
            yield f"bytes that are not UTF-8: {error.object[error.start]:#04x}"
            continue
        yield cells


def _is_binary(kind: object) -> bool:
    return "binary" in str(kind) and "<" not in str(kind)


def _is_short(kind: object) -> bool:
    return str(kind if not hasattr(kind, "value_type") else kind.value_type) in ("float", "halffloat")


def _shortest(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortest(one) for one in value]
    return value if value is None else float(str(np.float32(value)))


def _sizes(column: pa.Array) -> npt.NDArray[np.int64]:
    """How many bytes of text each cell of a column holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = pc.cast(pc.fill_null(pc.binary_length(column.dictionary), 0), pa.int64())
        return _numbers(pc.fill_null(lengths.take(column.indices), 0))
    if pa.types.is_map(kind):
        column = column.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        owners = _numbers(pc.list_parent_indices(column))
        return np.bincount(owners, weights=_sizes(column.flatten()), minlength=len(column)).astype(np.int64)
    if pa.types.is_struct(kind):
        return sum((_sizes(field) for field in column.flatten()), np.zeros(len(column), np.int64))
    return np.zeros(len(column), np.int64)


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)
