"""The files behind the addresses of a corpus: one fetch an address, before the clips that need it are worked on.

    .work/media/<name>            a file that opened as a video; the name is a hash of what its address names
    .work/media/<name>.sha256     of its bytes, when it was first fetched: what was measured stays what is published
    .work/media/<name>.part       on its way, or left by a run that was killed: the rest is asked for (`media/part.py`)

A server that is busy or breaks off is asked again, later and later, or when it says; one that fails for address after
address is asked once for each. What an address gives is opened before it gets its name, so that a page of HTML is never
taken for the clip: it is thrown away, and the next try (`--retry`) fetches it anew. An address that failed is not asked
again by the same run.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

from ..contract.errors import ClipError, Reason, Rejection
from ..contract.executor import Executor
from ..contract.limits import Decode
from ..contract.urls import is_url
from ..media.container import open_media, video_stream
from ..media.fetch import TIMEOUT_S, TryLater, fetch
from ..media.local import media_file
from ..media.part import Part
from ..store.files import sync, write_text
from .executors.local import LocalExecutor

ANEW = frozenset(
    {
        *(Reason.UNREADABLE, Reason.REFUSED, Reason.NOT_A_VIDEO, Reason.MISSING_FILE),
        *(Reason.HTTP_404, Reason.REMOVED, Reason.GEO_BLOCKED, Reason.DENIED, Reason.THROTTLED),
    }
)
"""Reasons that lie in the file or its server: clips that are tried again for one of them have it fetched anew."""
_TRIES = 4  # for an address, while nothing more of it comes
_DOWN = 12  # failures of a host in a row, after which its addresses are asked for once
_PAUSE_S = 1.0  # before the second try; twice as long before each one more
_LONGEST_S = 600.0  # that a server may ask to be left alone; beyond, its addresses are rejects that a later run tries
_GRACE_S = 60  # to look a name up, which the fetch's own limit does not bound


class Shown(Protocol):
    """What a run shows of its downloads."""

    def advance(self, *, kept: int = 0, rejected: Mapping[str, int] | None = None) -> None: ...

    def expect(self, more: int) -> None: ...

    def finish(self) -> None: ...


class Progress(Protocol):
    def stage(self, name: str, *, total: int | None, unit: str) -> Shown: ...

    def say(self, line: str) -> None: ...


class Downloads:
    """The fetched files of one run, in a folder that is this process's alone. Any thread may ask for files."""

    def __init__(
        self,
        folder: Path,
        *,
        executor: Executor,
        limits: Decode,
        progress: Progress,
        connections: int = 8,
        connections_per_host: int = 8,
    ) -> None:
        self.folder = folder
        self._executor, self._limits, self._progress = executor, limits, progress
        self._connections, self._per_host = connections, connections_per_host
        self._hosts: dict[str, _Host] = {}
        self._failed: dict[str, Rejection] = {}
        self._tasks: dict[str, Future[int | Rejection]] = {}
        self._lock = threading.Lock()
        self._burst: _Burst | None = None
        for part in map(Part, folder.glob("*.part")):
            if part.tag is None:
                part.drop()

    def failure(self, media: str) -> Rejection | None:
        """Why the file of a `media` value could not be fetched by this run, if it was tried."""
        return self._failed.get(self._name(media)) if is_url(media) else None

    def is_missing(self, media: str) -> bool:
        """Whether a `media` value is an address whose file is not there."""
        return is_url(media) and not Path(media_file(media, self.folder)).exists()

    def fetch(self, media: Iterable[str], *, anew: Collection[str] = ()) -> None:
        """Fetch the files of those `media` values that are addresses and not there yet; those in `anew` in any case.

        None is fetched twice by a run. What fails is told by `failure`. Raises OSError where the folder cannot be
        written.
        """
        wanted = {self._name(one): one for one in media if self.is_missing(one) or one in anew}
        if not wanted:
            return
        with self._lock:
            fresh = {name: address for name, address in wanted.items() if name not in self._tasks}
            if fresh:
                self.folder.mkdir(parents=True, exist_ok=True)
                if self._burst is None:
                    self._burst = _Burst(self._progress, self._connections)
                self._burst.shown.expect(len(fresh))
                for name, address in fresh.items():
                    self._tasks[name] = self._burst.threads.submit(self._one, self._burst, name, address)
            tasks = [self._tasks[name] for name in wanted]
        for task in tasks:
            task.result()

    def finish(self) -> None:
        """All that was asked for is there: say what it was."""
        with self._lock:
            burst, self._burst = self._burst, None
        if burst is not None:
            sync(self.folder)
            burst.end(self._progress)

    def stop(self) -> None:
        """End what is on its way."""
        with self._lock:
            burst, self._burst = self._burst, None
        if burst is not None:
            burst.stopped.set()
            burst.connections.stop()
            burst.threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _one(self, burst: _Burst, name: str, address: str) -> int | Rejection:
        """The size of the file, or why there is none."""
        part = self.folder / f"{name}.part"
        host = urlsplit(address).hostname or ""
        try:
            digest = self._arrived(burst, address, part, host)
            size = self._checked(part, digest, host=host)
        except ClipError as error:
            self._failed[name] = error.rejection
            burst.shown.advance(rejected={str(error.rejection.reason): 1})
            return error.rejection
        burst.add(size)
        return size

    def _arrived(self, burst: _Burst, address: str, part: Path, host: str) -> str:
        """The sha256 of the file that an address gives, which is in `part` then: tried as often as makes sense."""
        with self._lock:
            server = self._hosts.setdefault(host, _Host(self._per_host))
        began, tries, size = time.monotonic(), 0, _size(part)
        while True:
            burst.stopped.wait(max(0.0, server.closed_until - time.monotonic()))
            try:
                with server.connections:
                    limit_s = TIMEOUT_S + _GRACE_S
                    digest = burst.connections.submit(fetch, address, part, timeout_s=limit_s).result()
            except TryLater as error:
                more = _size(part) > size
                tries, size = 1 if more else tries + 1, _size(part)
                server.failures = 1 if more else server.failures + 1
                server.closed_until = max(server.closed_until, time.monotonic() + error.after_s)
                hopeless = tries >= _TRIES or server.failures >= _DOWN or error.after_s > _LONGEST_S
                if hopeless or time.monotonic() - began > TIMEOUT_S:
                    raise
                pause = _PAUSE_S * 2 ** (tries - 1) * random.uniform(0.5, 1.0)
                if burst.stopped.wait(max(pause, error.after_s)):
                    raise
            else:
                server.failures = 0
                return digest

    def _checked(self, part: Path, digest: str, *, host: str) -> int:
        """Give a file that opens as a video its name; its size."""
        try:
            opened = self._executor.submit(_check, str(part), limits=self._limits, timeout_s=self._limits.timeout_s)
            try:
                opened.result()
            except ClipError as error:
                raise ClipError(error.rejection.reason, f"what {host} sent: {error.rejection.detail}") from None
            size = part.stat().st_size
            self._keep(part, digest, host=host)
        finally:
            part.unlink(missing_ok=True)
        return size

    def _keep(self, part: Path, digest: str, *, host: str) -> None:
        """Give a file its name. Raises ClipError where values of another file are stored under that name."""
        target = part.with_suffix("")
        known = target.with_suffix(".sha256")
        if known.exists() and known.read_text() != digest:
            advice = "put #2 at the end of the address in the table, which makes its clips new ones"
            raise ClipError(
                Reason.UNREADABLE, f"{host} gives another file now than the one that was measured; {advice}"
            )
        sync(part)
        part.replace(target)
        if not known.exists():
            write_text(known, digest)

    def _name(self, media: str) -> str:
        return Path(media_file(media, self.folder)).name


class _Host:
    """A server: how many may ask it at once, how often in a row it has failed, and until when it is left alone."""

    def __init__(self, connections: int) -> None:
        self.connections = threading.BoundedSemaphore(connections)
        self.failures = 0
        self.closed_until = 0.0


class _Burst:
    """Downloads that are shown together, and the processes that they need: a hanging name server holds no run that is
    stopped.
    """

    def __init__(self, progress: Progress, connections: int) -> None:
        self.connections = LocalExecutor(connections)
        self.threads = ThreadPoolExecutor(connections)
        self.stopped = threading.Event()
        self.shown = progress.stage("download", total=0, unit="files")
        self._began, self._size = time.monotonic(), 0

    def add(self, size: int) -> None:
        self._size += size
        self.shown.advance(kept=1)

    def end(self, progress: Progress) -> None:
        self.threads.shutdown()
        self.connections.__exit__(None, None, None)
        self.shown.finish()
        if self._size:
            rate = self._size / 1e6 / max(time.monotonic() - self._began, 0.001)
            progress.say(f"download: {self._size / 1e6:,.1f} MB, {rate:,.1f} MB/s")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check(path: str, *, limits: Decode) -> None:
    """Open a file as a video. Runs in a worker process. Raises ClipError."""
    with open_media(path, max_pixels=limits.max_pixels) as container:
        video_stream(container)
