"""The rows that are published: what the tars are laid out by, and the rows themselves in the order of the tars."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..contract.clip import PRIVATE_COLUMNS, Columns
from ..contract.identity import canonical_json, text_hash
from ..contract.locations import media_size
from ..media.cut import Form
from ..store.arrow import read_table
from ..store.digests import row_digests
from .generations import id_hashes
from .layout import Hashes, Sizes

_BUCKET_ROWS = 16_384
_MOST_BUCKETS = 500  # files open at once
_GROUP_BYTES = 128_000_000  # of rows that are sorted into the buckets at once
_BATCH_ROWS = 512
_PLACE = "shotscribe place"
_WHERE = ["media", "media_stat"]  # of a file, not what it is

_COPY_RATIO = 1.75  # bytes of a cut to those of its part of the file, by measure over 45 videos of the web
_MOST_BITS, _BITS = 0.3, 0.17  # of a pixel: a cut has no more, and about so many where the file's size is not known
_SOUND_RATE = 16_000  # bytes a second
_JSON_RATIO = 1.5  # bytes of JSON to those of the same values in Arrow


@dataclass(frozen=True, slots=True)
class PublishedRows:
    """What is known of the rows to publish without having them in memory.

    `rows`: which of each of the `tables`; the others follow this order. `digests`: of all that shows in a clip's
    members. `sizes`: about how many bytes they will take up.
    """

    tables: Sequence[Path]
    names: Sequence[str]
    rows: Sequence[npt.NDArray[np.int64]]
    hashes: Hashes
    digests: npt.NDArray[np.uint64]
    sizes: Sizes

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def pieces(self) -> npt.NDArray[np.int64]:
        """The number of the table that each row is in."""
        return np.repeat(np.arange(len(self.rows)), [len(rows) for rows in self.rows])


def published_rows(
    tables: Sequence[Path], *, columns: Columns, caption: str | None, embed: bool, left_out: Collection[str]
) -> PublishedRows:
    """Take stock of the rows of these tables, without the clips that are `left_out`.

    `columns` of them are published, `caption` as a text of its own, and with `embed` their media.
    """
    form = int(text_hash(canonical_json([list(columns), caption, embed]))[:16], 16)
    names = [*columns, *sorted({*PRIVATE_COLUMNS, *(field.name for field in fields(Form))} - columns.keys())]
    kept: list[npt.NDArray[np.int64]] = []
    hashes: list[Hashes] = []
    digests: list[npt.NDArray[np.uint64]] = []
    sizes: list[Sizes] = []
    for path in tables:
        table = read_table(path).select(names)
        ids = table.column("clip_id").to_pylist()
        rows = np.array([row for row, clip in enumerate(ids) if clip not in left_out], np.int64)
        kept.append(rows)
        hashes.append(id_hashes(ids)[rows])
        digests.append(
            np.array([int(digest, 16) ^ form for digest in row_digests(table.drop_columns(_WHERE))], np.uint64)[rows]
        )
        sizes.append(_sizes(table, embed=embed)[rows])
    return PublishedRows(
        tables,
        names,
        kept,
        np.concatenate([np.array([], np.uint64), *hashes]),
        np.concatenate([np.array([], np.uint64), *digests]),
        np.concatenate([np.array([], np.float64), *sizes]),
    )


def _sizes(table: pa.Table, *, embed: bool) -> Sizes:
    """About how many bytes each row's members will take up, by its columns alone."""
    texts = np.full(table.num_rows, 2048 + _JSON_RATIO * table.nbytes / max(table.num_rows, 1))
    if not embed:
        return texts
    known = np.array([media_size(version) for version in table.column("media_version").to_pylist()], np.float64)
    whole = table.column("whole").to_numpy()
    duration, media_duration = (_numbers(table, name) for name in ("duration", "media_duration"))
    part = known * np.minimum(duration / np.maximum(media_duration, 1e-3), 1)
    pixels = _numbers(table, "frames") * _numbers(table, "width") * _numbers(table, "height")
    sound = np.where(table.column("has_audio").to_numpy(zero_copy_only=False), _SOUND_RATE * duration, 0)
    cut = np.fmin(_COPY_RATIO * part, np.where(np.isnan(part), _BITS, _MOST_BITS) * pixels / 8 + sound)
    return np.asarray(texts + np.where(whole & ~np.isnan(known), known, cut))


def _numbers(table: pa.Table, name: str) -> Sizes:
    return np.asarray(table.column(name).to_numpy(), np.float64)


class OrderedRows:
    """The rows in an order of their own, however many there are: sorted through files of a scratch folder.

    Each file, a bucket, has a stretch of the order. A context manager, which removes them.
    """

    def __init__(self, rows: PublishedRows, order: npt.NDArray[np.int64], folder: Path) -> None:
        self._rows, self._folder = rows, folder
        self._size = max(_BUCKET_ROWS, -(-len(rows) // _MOST_BUCKETS))
        self._places = np.empty(len(rows), np.int64)
        self._places[order] = np.arange(len(rows))

    def __enter__(self) -> OrderedRows:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with ExitStack() as stack:
            writers: dict[int, pa.RecordBatchFileWriter] = {}
            for group in self._groups():
                places = group.column(_PLACE).to_numpy()
                buckets = places // self._size
                for bucket in np.unique(buckets).tolist():
                    if bucket not in writers:
                        writers[bucket] = stack.enter_context(pa.ipc.new_file(self._path(bucket), group.schema))
                    writers[bucket].write_table(group.take(np.flatnonzero(buckets == bucket)))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def tables(self, first: int, last: int) -> Iterator[pa.Table]:
        """The rows from one place of the order to another (exclusive), some hundred at a time."""
        at = first
        while at < last:
            bucket = at // self._size
            with pa.memory_map(str(self._path(bucket))) as source:
                table = pa.ipc.open_file(source).read_all().combine_chunks()
            begin, end = at - bucket * self._size, min(last, (bucket + 1) * self._size) - bucket * self._size
            wanted = np.argsort(table.column(_PLACE).to_numpy())[begin:end]
            for some in range(0, len(wanted), _BATCH_ROWS):
                yield table.take(wanted[some : some + _BATCH_ROWS]).drop_columns([_PLACE])
            at += len(wanted)

    def _groups(self) -> Iterator[pa.Table]:
        """The rows as the pieces have them, with their places; of many pieces at a time."""
        held: list[pa.Table] = []
        first = 0
        for path, rows in zip(self._rows.tables, self._rows.rows, strict=True):
            table = read_table(path).select(self._rows.names).take(rows)
            held.append(table.append_column(_PLACE, pa.array(self._places[first : first + len(rows)])))
            first += len(rows)
            if sum(table.nbytes for table in held) >= _GROUP_BYTES:
                yield pa.concat_tables(held).combine_chunks()
                held = []
        if held:
            yield pa.concat_tables(held).combine_chunks()

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:05}.arrow"
