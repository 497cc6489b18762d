"""Fill tars: cut what has to be cut, write the tars that are not there yet.

What is in a tar depends on the clips alone, never on timing: an interrupted run that is started again ends with the
same bytes as one that was left alone. A tar is known by the digests of its clips, an mp4 by what it is cut from: a
changed caption writes its tar anew from the mp4s in the old one, and encodes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ..contract.errors import ClipError, Rejection
from ..contract.executor import Executor
from ..contract.limits import Decode
from .entries import Sample, cut_key, entry_of, mp4_of
from .extent import Extent
from .tar_store import TarStore
from .tars import Entry

_WRITERS = 2  # tars written at once: one is copied while another waits for the disk
_AHEAD = 16  # clips prepared ahead of the tar that is being filled, for each worker


@dataclass(frozen=True, slots=True)
class Shard:
    """A published tar: `path` below the output folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WantedTar:
    """A tar to be made: its path below the output folder, the digest of its clips, how many they are, and the clips
    themselves, in order, as often as they are asked for.
    """

    path: str
    digest: str
    rows: int
    samples: Callable[[], Iterator[Sample]]


@dataclass(frozen=True, slots=True)
class _Writing:
    """A tar under way; the future gives its digest, and the clips that are not in it."""

    path: str
    entries: Iterable[Entry]
    tar: Future[tuple[str | None, dict[str, Rejection]]]


def pack(
    wanted: Sequence[WantedTar],
    *,
    store: TarStore,
    embed: bool,
    executor: Executor,
    limits: Decode,
    on_done: Callable[[int], None],
) -> tuple[dict[str, str | None], dict[str, Rejection]]:
    """Have each tar in the store. Their digests by their paths, None for one that no clip is left for; by clip_id, why
    a clip is in none of them.

    Without `embed` a tar holds texts and records only. `on_done(n)`: n more clips are cut or refused. Raises RunError
    when the output cannot be written; what was done is kept for the next call.
    """
    made = {tar.path: tar.digest if store.has(tar.digest) else None for tar in wanted}
    missing = [tar for tar in wanted if made[tar.path] is None]
    on_done(sum(tar.rows for tar in wanted) - sum(tar.rows for tar in missing))
    rejected: dict[str, Rejection] = {}
    filled = (
        _embedded(missing, store=store, executor=executor, limits=limits, rejected=rejected, on_done=on_done)
        if embed
        else ((tar, _referenced(tar, on_done)) for tar in missing)
    )
    under_way: deque[_Writing] = deque()
    writers = ThreadPoolExecutor(_WRITERS)
    try:
        while (following := next(filled, None)) or under_way:
            if following:
                tar, entries = following
                under_way.append(_Writing(tar.path, entries, writers.submit(store.write, entries)))
                if len(under_way) <= _WRITERS:
                    continue
            oldest = under_way.popleft()
            made[oldest.path], gone = oldest.tar.result()
            rejected |= gone
            if embed:
                store.drop_cuts(oldest.entries)
    finally:
        writers.shutdown(cancel_futures=True)
    return made, rejected


def _referenced(tar: WantedTar, on_done: Callable[[int], None]) -> Iterator[Entry]:
    """Entries without media."""
    for sample in tar.samples():
        on_done(1)
        yield entry_of(sample)


def _embedded(
    tars: Sequence[WantedTar],
    *,
    store: TarStore,
    executor: Executor,
    limits: Decode,
    rejected: dict[str, Rejection],
    on_done: Callable[[int], None],
) -> Iterator[tuple[WantedTar, list[Entry]]]:
    """Tars whose mp4s are all there, while the workers cut ahead for the next ones. Adds to `rejected`."""
    source = (sample for tar in tars for sample in tar.samples())
    window: deque[tuple[Sample, str, Future[Extent]]] = deque()
    for tar in tars:
        entries: list[Entry] = []
        for _ in range(tar.rows):
            while len(window) < _AHEAD * executor.workers and (ahead := next(source, None)) is not None:
                key = cut_key(ahead)
                window.append((ahead, key, mp4_of(ahead, key, store=store, executor=executor, limits=limits)))
            sample, key, video = window.popleft()
            try:
                entries.append(entry_of(sample, key=key, video=video.result()))
            except ClipError as error:
                rejected[sample.clip_id] = error.rejection
            on_done(1)
        yield tar, entries
