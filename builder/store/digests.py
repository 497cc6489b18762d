"""The content of each row of a table in a few hex digits: what a value was made from is known by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa

_DIGEST_BYTES = 8

Rows = Callable[[int, int], bytes]
"""The bytes that rows from a first up to a last (exclusive) are told apart by."""


def row_digests(table: pa.Table) -> list[str]:
    """For each row 16 hex digits of its values and of the columns' names; the types of numbers count, their place in
    chunks does not.
    """
    names = sorted(table.column_names)
    columns = [_rows(table.column(name).combine_chunks()) for name in names]
    head = hashlib.blake2b(json.dumps(names).encode(), digest_size=_DIGEST_BYTES)
    digests = list[str]()
    for at in range(table.num_rows):
        digest = head.copy()
        for rows in columns:
            data = rows(at, at + 1)
            digest.update(b"%d:" % len(data))
            digest.update(data)
        digests.append(digest.hexdigest())
    return digests


def _rows(array: pa.Array) -> Rows:
    """Out of Arrow's own buffers where it can be: a vector of 512 numbers is no list of 512 Python objects."""
    if isinstance(array, pa.ChunkedArray):  # one without rows
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _valid(array, _numbers(array.fill_null(0)))
    if pa.types.is_string(kind):
        return _valid(array, _parts(array, _buffer(array)))
    if pa.types.is_list(kind):
        return _valid(array, _parts(array, _rows(array.values)))
    if pa.types.is_struct(kind):
        fields = [_rows(array.field(index)) for index in range(kind.num_fields)]
        return _valid(array, lambda first, last: b"".join(rows(first, last) for rows in fields))
    values = array.to_pylist()
    return lambda first, last: json.dumps(values[first:last], sort_keys=True, default=str).encode()


def _valid(array: pa.Array, rows: Rows) -> Rows:
    """With which of the values are null, where any is."""
    if not array.null_count:
        return lambda first, last: b"+" + rows(first, last)
    valid = array.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)

    def some(first: int, last: int) -> bytes:
        mask = valid[first:last]
        return b"+" + rows(first, last) if mask.all() else b"-" + mask.tobytes() + rows(first, last)

    return some


def _numbers(array: pa.Array) -> Rows:
    numbers = array.to_numpy(zero_copy_only=False)
    data, width = np.ascontiguousarray(numbers).view(np.uint8).data, numbers.dtype.itemsize
    return lambda first, last: bytes(data[first * width : last * width])


def _parts(array: pa.Array, inner: Rows) -> Rows:
    """Lists, and texts as lists of bytes: the length of each, and what is in it. A null has no length."""
    offsets = np.frombuffer(array.buffers()[1] or bytes(4), np.int32)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets)

    def parts(first: int, last: int) -> bytes:
        return lengths[first:last].tobytes() + inner(int(offsets[first]), int(offsets[last]))

    return parts


def _buffer(array: pa.Array) -> Rows:
    data = memoryview(array.buffers()[2] or b"")
    return lambda first, last: bytes(data[first:last])
