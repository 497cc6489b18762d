"""An append-only log of finished clips, and of every completion of an engine on the way there: what a killed run had
measured in a shard is not measured again, and what it had been answered is not paid for again.

One JSON object a line, after its checksum. A line that is not as it was written loses itself alone; one that a kill cut
short is cut off when the log is opened.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..contract.errors import Reason, Rejection
from ..contract.step import Measured
from .seal import note


class Journal:
    """The log of one shard; use as a context manager. Values are found by clip and the keys of the steps.

    `clips`: those that are worked on. A run of fewer clips than one that was interrupted leaves the others' log alone.
    """

    def __init__(self, path: Path, *, clips: Iterable[str]) -> None:
        self._clips = frozenset(clips)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._completions: dict[str, dict[str, Any]] = {}
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        if lines and not lines[-1].endswith(b"\n"):
            del lines[-1]
        bad = 0
        for line in lines:
            entry = _entry(line)
            if entry is None:
                bad += 1
            elif "request" in entry:
                self._completions.setdefault(entry["clip_id"], {})[entry["request"]] = entry["completion"]
            else:
                self._entries.setdefault(entry["clip_id"], []).append(entry)
        if bad:
            note(path)
        self._lock = threading.Lock()
        self._handle: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.truncate(path, sum(map(len, lines)))

    def find(
        self,
        clip_id: str,
        names: Sequence[str],
        key_of: Callable[[str, Mapping[str, Any]], str],
        *,
        retry: Collection[str] = (),
    ) -> Measured | None:
        """What an interrupted run found for the steps of these names of a clip, in order; it may have run others too.

        `key_of(name, values)`: the key of a step where those before it have these values. The latest counts, if a clip
        was tried again; a failure for a reason in `retry` counts as not there.
        """
        for entry in reversed(self._entries.get(clip_id, ())):
            values: dict[str, dict[str, Any]] = {}
            for name in names:
                done = name == entry["failed"] or name in entry["values"]
                if not done or entry["keys"].get(name) != key_of(name, values):
                    break
                if name in entry["values"]:
                    values[name] = entry["values"][name]
                elif entry["reason"] in retry or entry["passing"]:
                    return None
                else:
                    return Measured(values, name, Rejection(Reason(entry["reason"]), entry["detail"]))
            else:
                return Measured(values)
        return None

    def append(self, clip_id: str, keys: Mapping[str, str], measured: Measured) -> None:
        """Log a finished clip. Raises OSError (full disk)."""
        entry = {
            "clip_id": clip_id,
            "keys": dict(keys),
            "values": measured.values,
            "failed": measured.failed,
            "reason": measured.rejection and measured.rejection.reason,
            "detail": measured.rejection and measured.rejection.detail,
            "passing": measured.rejection is not None and measured.rejection.passing,
        }
        self._write(entry)

    def completions(self, clip_id: str, *, retry: Collection[str] = ()) -> Mapping[str, Any]:
        """What an engine answered about a clip in an interrupted run, by the key of the request.

        Nothing of a clip that failed for a reason in `retry`: the same answers would have it fail once more.
        """
        if any(entry["reason"] in retry for entry in self._entries.get(clip_id, ())):
            return {}
        return self._completions.get(clip_id, {})

    def append_completion(self, clip_id: str, request: str, completion: Mapping[str, Any]) -> None:
        """Log what an engine answered. Raises OSError (full disk). May be called from any thread, and when the log is
        closed already, as a run is that fails: nothing is logged then.
        """
        self._write({"clip_id": clip_id, "request": request, "completion": completion})

    def _write(self, entry: Mapping[str, Any]) -> None:
        body = json.dumps(entry).encode()
        line = b"%08x %b\n" % (zlib.crc32(body), body)
        with self._lock:
            if self._handle is None:
                return
            if os.write(self._handle, line) != len(line):  # a full disk may take half a line: the next one would say so
                raise OSError(28, os.strerror(28), str(self._path))

    def close(self, *, done: bool) -> None:
        """Close; and remove it once the values are safe elsewhere, but for what it knows of other clips than these."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None
        if done and {*self._entries, *self._completions} <= self._clips:
            self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(done=kind is None)


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line says, if it is as it was written."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    entry: dict[str, Any] = json.loads(body)
    return entry


@dataclass(frozen=True, slots=True)
class ClipLog:
    """The completions of one clip: those that an interrupted run had, by request, and where new ones are written."""

    known: Mapping[str, Any]
    record: Callable[[str, Mapping[str, Any]], None]
