"""What a run works with, where it stands, and what it tells of itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..contract.errors import Reason, RunError
from ..contract.executor import Executor
from ..contract.limits import Decode
from ..contract.step import Measured
from .download import Downloads
from .executors.engines import Engines
from .judge import StepCount

_STOP_EARLY = 1000  # a stage of so many clips stops once it must fail; a smaller one ends first, to count all reasons


class StageProgress(Protocol):
    """What a stage tells while it runs: clips that came through, and `cached` ones that cost nothing."""

    def advance(self, *, kept: int = 0, rejected: Mapping[str, int] | None = None, cached: int = 0) -> None: ...

    def expect(self, more: int) -> None:
        """So many clips more will come than was thought, or fewer."""

    def finish(self) -> None: ...


class Progress(Protocol):
    """Where a run shows what it does."""

    def stage(self, name: str, *, total: int | None, unit: str = "clips") -> StageProgress: ...

    def say(self, line: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: nothing here changes what is made."""

    work: Path
    downloads: Downloads
    executor: Executor
    engines: Engines
    decode: Decode
    max_reject_rate: float
    retry: Collection[str]
    progress: Progress


@dataclass(slots=True)
class Outcome:
    """Where a run stands: tables of the rows that are left (a piece each, in order) and of the rejects; the funnel."""

    tables: list[Path]
    rejects: list[Path]
    rows: int = 0
    counts: dict[str, StepCount] = field(default_factory=dict)


class StageWatch:
    """A stage as the run sees it while pieces are under way: what it shows, and whether it must fail already.

    `rows`: clips that come to it, at most, so far as is known; of its own errors no more than `max_reject_rate` of them
    may be. It is shown from the first of its `pieces` on that comes to it, until the last has gone.
    """

    def __init__(self, title: str, *, rows: int, pieces: int, settings: Settings) -> None:
        self.title, self.rows, self._pieces, self._settings = title, rows, pieces, settings
        self._expected = rows
        self._errors = Counter[str]()
        self._shown: StageProgress | None = None
        self._lock = threading.Lock()

    @property
    def progress(self) -> StageProgress:
        with self._lock:
            if self._shown is None:
                self._shown = self._settings.progress.stage(self.title, total=self._expected)
            return self._shown

    def begin(self) -> None:
        """A piece has come: its first clip may take an hour."""
        self.progress.advance()

    def expect(self, more: int) -> None:
        """So many clips more will come than was thought, or fewer."""
        with self._lock:
            self._expected += more
            self.rows += max(0, more)
            if self._shown is not None:
                self._shown.expect(more)

    def passed(self) -> None:
        """A piece has gone through."""
        with self._lock:
            self._pieces -= 1
            last = self._pieces == 0
        if last:
            self.progress.finish()

    def finish(self) -> None:
        """No piece is left, even where there was none."""
        if self._shown is None:
            self.progress.finish()

    def count(self, measured: Measured) -> None:
        """A clip was worked on. Raises RunError once more have failed than may."""
        if measured.rejection is None:
            self.progress.advance(kept=1)
            return
        self.progress.advance(rejected={str(measured.rejection.reason): 1})
        if measured.rejection.reason.is_error:
            self._errors[measured.rejection.reason] += 1
        limit = self._settings.max_reject_rate
        if self.rows >= _STOP_EARLY and self._errors.total() > limit * self.rows:
            raise too_many_errors(self.title, self._errors, self.rows, limit, work=self._settings.work)


def too_many_errors(title: str, reasons: Counter[str], rows: int, limit: float, *, work: Path) -> RunError:
    """The error of a stage that rejected too much; `work`: where the rejects are named."""
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    what = "nothing is left" if reasons.total() == rows else f"more than run.max_reject_rate {limit:g} allows"
    keep = " (`publish.uncaptioned: keep` publishes clips without a caption)" if Reason.NO_CAPTION in reasons else ""
    again = f" (with `--retry {reasons.most_common(1)[0][0]}`, where an address or an engine was at fault)"
    return RunError(
        f"{title}: {reasons.total()} of {rows} clips failed ({counted}), {what}; "
        f"{work / 'rejects.parquet'} names each of them. Mend what it names, or raise the rate if they may "
        f"be left out{keep}, and run the same command again{again}: what was done is kept"
    )
