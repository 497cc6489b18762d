"""Kept clips to WebDataset shards: cut what has to be cut, fill tars in order, publish them under their final names.

Which clip goes into which tar depends on the clips and their sizes alone, never on timing: an interrupted run that is
started again ends with the same bytes as one that was left alone. Clips are known by content: a changed caption writes
tars anew from the mp4s in the old ones, and encodes nothing.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from . import cut as cutting
from .clip import media_of
from .errors import ClipError, Rejection
from .executors.local import LocalExecutor
from .files import canonical_json, unwritable, write_atomically
from .tar_store import TarStore
from .tars import Entry, GoneError, Video, as_it_is, check_version, entry_bytes, tar_bytes
from .video import Decode

_WRITERS = 2  # tars written at once: one is copied while another waits for the disk
_AHEAD = 16  # clips prepared ahead of the tar that is being filled, for each worker
_PATIENCE = 10  # seconds of work for a second of video: 4K at 60 frames a second on one slow core takes about 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip to publish. `media` is a local file, as `clip.media_of` gives it; `record` is all that is published of it.

    No `text`, no `.txt` member.
    """

    clip_id: str
    media: str
    media_version: str
    start: float
    end: float
    whole: bool
    container: str
    codec: str
    text: str | None
    record: bytes


@dataclass(frozen=True, slots=True)
class Shard:
    """A published tar: `path` below the output folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


def pack(
    samples: Iterable[Sample],
    *,
    out: Path,
    embed: bool,
    shard_bytes: int,
    executor: LocalExecutor,
    limits: Decode,
    on_done: Callable[[int], None],
) -> tuple[list[Shard], dict[str, Rejection]]:
    """Make `out/data` the shards of these clips; returns them, and by clip_id why a clip is in none of them.

    A shard is filled in order until the next clip would make it larger than `shard_bytes`; it has one clip at least.
    Without `embed` it holds texts and records only. `on_done(n)`: n more clips are cut or refused. Raises RunError when
    the output cannot be written; what was done is kept for the next call. `out` must be locked by the caller.
    """
    store = TarStore.open(out)
    rejected: dict[str, Rejection] = {}
    entries = _embedded(samples, store, executor, limits, rejected, on_done) if embed else _referenced(samples, on_done)
    digests = _fill(entries, store=store, shard_bytes=shard_bytes, rejected=rejected)
    return [Shard(path, tar.rows, tar.bytes, tar.sha256) for path, tar in store.publish(digests)], rejected


def _referenced(samples: Iterable[Sample], on_done: Callable[[int], None]) -> Iterator[Entry]:
    for sample in samples:
        on_done(1)
        yield _entry(sample, key="", video=None)


def _embedded(
    samples: Iterable[Sample],
    store: TarStore,
    executor: LocalExecutor,
    limits: Decode,
    rejected: dict[str, Rejection],
    on_done: Callable[[int], None],
) -> Iterator[Entry]:
    """Entries in the order of the samples, while the workers cut ahead."""
    source = iter(samples)
    window: deque[tuple[Sample, str, Future[Video]]] = deque()
    while True:
        while len(window) < _AHEAD * executor.workers and (sample := next(source, None)) is not None:
            key = _cut_key(sample)
            window.append((sample, key, _video(sample, key, store=store, executor=executor, limits=limits)))
        if not window:
            return
        sample, key, video = window.popleft()
        try:
            entry = _entry(sample, key=key, video=video.result())
        except ClipError as error:
            rejected[sample.clip_id] = error.rejection
            on_done(1)
            continue
        on_done(1)
        yield entry


def _entry(sample: Sample, *, key: str, video: Video | None) -> Entry:
    text = None if sample.text is None else sample.text.encode("utf-8")
    return Entry(sample.clip_id, key, video, text, sample.record)


def _cut_key(sample: Sample) -> str:
    """What the bytes of a clip's mp4 depend on; with the clip's id, so that no two clips ever share a file."""
    clip = [sample.clip_id, sample.media, sample.media_version, sample.start, sample.end, sample.whole]
    exact = canonical_json([cutting.VERSION, *clip])
    return hashlib.sha256(exact.encode("utf-8")).hexdigest()[:40]


def _video(sample: Sample, key: str, *, store: TarStore, executor: LocalExecutor, limits: Decode) -> Future[Video]:
    """The mp4 of a clip: from where it lies already, or from a worker."""
    if (found := store.find(key)) is not None:
        return _settled(lambda: found)
    if cutting.is_file_itself(whole=sample.whole, container=sample.container):
        return _settled(lambda: as_it_is(sample.media, sample.media_version))
    return executor.submit(
        cut_file,
        str(store.cut_path(key)),
        sample=replace(sample, text=None, record=b""),
        limits=limits,
        timeout_s=limits.timeout_s + sample.end + _PATIENCE * (sample.end - sample.start),
    )


def _settled(find: Callable[[], Video]) -> Future[Video]:
    future: Future[Video] = Future()
    try:
        future.set_result(find())
    except ClipError as error:
        future.set_exception(error)
    return future


def cut_file(target: str, *, sample: Sample, limits: Decode) -> Video:
    """Cut a clip into a file of the store, whole or not at all. Runs in a worker process."""

    def write(temporary: Path) -> None:
        cutting.cut(
            sample.media,
            str(temporary),
            start=sample.start,
            end=sample.end,
            whole=sample.whole,
            container=sample.container,
            codec=sample.codec,
            limits=limits,
        )
        check_version(sample.media, sample.media_version)

    check_version(sample.media, sample.media_version)
    path = Path(target)
    try:
        write_atomically(path, write)
    except OSError as error:
        raise unwritable(path, error) from error
    return Video(media_of(path), 0, path.stat().st_size)


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
        size += entry_bytes(entry)
        if shard and tar_bytes(size) > shard_bytes:
            stream.put_back([entry])
            break
        shard.append(entry)
    return shard
