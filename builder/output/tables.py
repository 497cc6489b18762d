"""Column specs as Arrow schemas, and the parquet files beside the shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..contract.clip import REJECT_COLUMNS, Columns
from ..contract.errors import Reason
from ..store.arrow import arrow_schema
from ..store.files import unwritable, write_atomically

_REJECTS_A_GROUP = 100_000


def write_tables(
    tables: Iterable[pa.Table], *, out: Path, columns: Columns, shards: Sequence[tuple[str, int]]
) -> list[str]:
    """`metadata/train-00000-of-N.parquet` and so on under `out`: one file for each shard; returns their paths there.

    `tables`: the published rows in order, however they are sliced; of them the `columns` are written, and the column
    `shard`, the path of the tar that holds the clip. `shards`: path and number of rows of each tar, in order. The same
    rows give the same bytes. Files of an earlier build are removed once the new ones are complete. Raises RunError if
    `out` cannot be written, ValueError if the rows are not as many as the shards hold.
    """
    schema = arrow_schema(columns)
    parts = _parts((table.select(schema.names) for table in tables), schema, [rows for _, rows in shards])
    names = [f"metadata/{Path(path).stem}.parquet" for path, _ in shards]
    for name, (path, rows) in zip(names, shards, strict=True):
        part = next(parts)
        if part.num_rows != rows:
            raise ValueError(f"{path} holds {rows} rows, but only {part.num_rows} are left for it")
        _write(out / name, [part.append_column("shard", pa.repeat(pa.scalar(path), rows))])
    if any(part.num_rows for part in parts):
        raise ValueError("there are more rows than the shards hold")
    kept = {Path(name).name for name in names}
    for stale in (out / "metadata").glob("*.parquet"):
        if stale.name not in kept:
            stale.unlink()
    return names


def write_rejects(tables: Iterable[pa.Table], *, path: Path) -> None:
    """The rejects table, whole or not there: the rows of REJECT_COLUMNS as they come. Raises RunError."""
    _write(path, _parts(tables, arrow_schema(REJECT_COLUMNS), repeat(_REJECTS_A_GROUP)))


@dataclass(frozen=True, slots=True)
class Failures:
    """The clips that are rejected because something was wrong, by reason: those whose verdict is kept until `--retry`,
    and those that the same command tries again.
    """

    kept: Counter[str]
    passing: Counter[str]


def failures(out: Path) -> Failures:
    """What failed in the dataset in a folder. What its sources refuse is not counted: they are read anew by every run;
    nor is a clip that merely has no caption.
    """
    table = pq.read_table(out / "rejects.parquet", columns=["step", "reason", "passing"])
    counts = table.group_by(["step", "reason", "passing"]).aggregate([([], "count_all")]).to_pylist()
    found = Failures(Counter(), Counter())
    for row in counts:
        if row["step"] != "source" and row["reason"] != Reason.NO_CAPTION and Reason(row["reason"]).is_error:
            (found.passing if row["passing"] else found.kept)[row["reason"]] += row["count_all"]
    return found


def _parts(tables: Iterable[pa.Table], schema: pa.Schema, sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The rows in pieces of the given sizes, one chunk a column; a last one, perhaps empty, of what is left.

    Where a piece begins and ends does not depend on how the rows come sliced: parquet bytes depend on it.
    """
    source, held, rows = iter(tables), [schema.empty_table()], 0
    for size in sizes:
        while rows < size and (following := next(source, None)) is not None:
            held.append(following.cast(schema))
            rows += following.num_rows
        if rows < size:
            break
        joined = pa.concat_tables(held)
        yield joined.slice(0, size).combine_chunks()
        held, rows = [joined.slice(size)], rows - size
    yield pa.concat_tables([*held, *(table.cast(schema) for table in source)]).combine_chunks()


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    def write(temporary: Path) -> None:
        parts = iter(tables)
        first = next(parts)
        with pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
            for table in chain([first], parts):
                writer.write_table(table)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    except OSError as error:
        raise unwritable(path, error) from error
