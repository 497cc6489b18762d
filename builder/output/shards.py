"""Kept clips to WebDataset shards: cut what has to be cut, fill tars in order, publish them under their final names.

Which clip goes into which tar depends on the clips and their sizes alone, never on timing: an interrupted run that is
started again ends with the same bytes as one that was left alone. Clips are known by content: a changed caption writes
tars anew from the mp4s in the old ones, and encodes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import Rejection
from ..contract.executor import Executor
from ..contract.limits import Decode
from .entries import Sample, embedded, referenced
from .tar_store import LostError, TarStore
from .tars import Entry, GoneError, tar_bytes

__all__ = ["Sample", "Shard", "pack"]

_WRITERS = 2  # tars written at once: one is copied while another waits for the disk


@dataclass(frozen=True, slots=True)
class Shard:
    """A published tar: `path` below the output folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


def pack(
    samples: Callable[[], Iterable[Sample]],
    *,
    out: Path,
    work: Path,
    embed: bool,
    shard_bytes: int,
    executor: Executor,
    limits: Decode,
    on_done: Callable[[int], None],
    before_publishing: Callable[[Mapping[str, Rejection]], None] = lambda rejected: None,
) -> tuple[list[Shard], dict[str, Rejection]]:
    """Make `out/data` the shards of these clips; returns them, and by clip_id why a clip is in none of them.

    A shard is filled in order until the next clip would make it larger than `shard_bytes`; it has one clip at least.
    Without `embed` it holds texts and records only. `on_done(n)`: n more clips are cut or refused. Raises RunError when
    the output cannot be written; what was done is kept for the next call. `before_publishing` sees the refused clips
    while `out/data` is still as it was, and may raise. `work`, where tars and cuts are kept, must be locked by the
    caller. `samples` is asked once more where a tar that was there turns out to be damaged.
    """
    store = TarStore.open(out, work)
    digests: list[str] | None = None
    while digests is None:
        rejected: dict[str, Rejection] = {}
        entries = (
            embedded(samples(), store=store, executor=executor, limits=limits, rejected=rejected, on_done=on_done)
            if embed
            else referenced(samples(), on_done=on_done)
        )
        try:
            digests = _fill(entries, store=store, shard_bytes=shard_bytes, rejected=rejected)
        except LostError:
            on_done = _nobody
    before_publishing(rejected)
    return [Shard(path, tar.rows, tar.bytes, tar.sha256) for path, tar in store.publish(digests)], rejected


def _nobody(clips: int) -> None:
    """These were counted before."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """A tar under way; the future gives its digest."""

    entries: list[Entry]
    tar: Future[str]


class _Stream:
    """Entries in order; what was taken can be put back."""

    def __init__(self, source: Iterator[Entry]) -> None:
        self._source = source
        self._back: deque[Entry] = deque()

    def take(self) -> Entry | None:
        return self._back.popleft() if self._back else next(self._source, None)

    def put_back(self, entries: Sequence[Entry]) -> None:
        self._back.extendleft(reversed(entries))


def _fill(entries: Iterator[Entry], *, store: TarStore, shard_bytes: int, rejected: dict[str, Rejection]) -> list[str]:
    """The digests of the tars, in order; all of them are complete."""
    stream = _Stream(entries)
    digests: list[str] = []
    under_way: deque[_Writing] = deque()
    writers = ThreadPoolExecutor(_WRITERS)
    try:
        while (shard := _next_shard(stream, shard_bytes)) or under_way:
            if shard:
                under_way.append(_Writing(shard, writers.submit(store.write, shard)))
                if len(under_way) <= _WRITERS:
                    continue
            oldest = under_way.popleft()
            try:
                digests.append(oldest.tar.result())
                store.drop_cuts(oldest.entries)
            except GoneError as error:
                # every later tar begins with another clip now: fill them anew
                rejected.update({clip: gone.rejection for clip, gone in error.clips.items()})
                begun = [oldest, *under_way]
                under_way.clear()
                wait([writing.tar for writing in begun])
                stream.put_back([e for writing in begun for e in writing.entries if e.clip_id not in error.clips])
    finally:
        writers.shutdown(cancel_futures=True)
    return digests


def _next_shard(stream: _Stream, shard_bytes: int) -> list[Entry]:
    shard: list[Entry] = []
    size = 0
    while (entry := stream.take()) is not None:
        size += entry.bytes_in_tar()
        if shard and tar_bytes(size) > shard_bytes:
            stream.put_back([entry])
            break
        shard.append(entry)
    return shard
