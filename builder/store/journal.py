"""An append-only log of finished clips: what a killed run had measured in a piece is not measured again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ..contract.clip import Row
from ..contract.errors import Reason, Rejection
from ..contract.identity import Json
from ..contract.step import Measured
from .lines import line_of, read_lines, write_line


class Journal:
    """The log of one piece; use as a context manager. Values are found by clip and the keys of the steps.

    `clips`: those that are worked on. A run of fewer clips than one that was interrupted leaves the others' log alone.
    """

    def __init__(self, path: Path, *, clips: Iterable[str]) -> None:
        self._clips = frozenset(clips)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._entries: dict[str, list[Json]] = {}
        for entry in read_lines(path):
            self._entries.setdefault(entry["clip_id"], []).append(entry)
        self._lock = threading.Lock()
        self._handle: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def find(
        self,
        clip_id: str,
        names: Sequence[str],
        key_of: Callable[[str, Row], str],
        *,
        retry: Collection[str] = (),
    ) -> Measured | None:
        """What an interrupted run found for the steps of these names of a clip, in order; it may have run others too.

        `key_of(name, values)`: the key of a step where those before it have these values. The latest counts, if a clip
        was tried again; a failure for a reason in `retry` counts as not there.
        """
        for entry in reversed(self._entries.get(clip_id, ())):
            values: dict[str, Json] = {}
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

    def failed(self, reasons: Collection[str]) -> set[str]:
        """The clips that failed for one of these reasons, in an interrupted run."""
        return {clip for clip, entries in self._entries.items() if any(entry["reason"] in reasons for entry in entries)}

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
        with self._lock:
            if self._handle is not None:  # else the run has failed
                write_line(self._handle, line_of(entry), self._path)

    def close(self, *, done: bool) -> None:
        """Close; and remove it once the values are safe elsewhere, but for what it knows of other clips than these."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None
        if done and self._entries.keys() <= self._clips:
            self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(done=kind is None)
