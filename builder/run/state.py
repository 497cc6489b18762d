"""How a run is set up, where it stands, and what it tells of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..contract.errors import Reason, RunError
from ..contract.executor import Executor
from .download import Downloads
from .executors.engines import Engines
from .judge import StepCount


class StageProgress(Protocol):
    """What a stage tells while it runs: clips that came through, and `cached` ones that cost nothing."""

    def advance(self, *, kept: int = 0, rejected: Mapping[str, int] | None = None, cached: int = 0) -> None: ...

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
    max_reject_rate: float
    retry: Collection[str]
    progress: Progress


@dataclass(slots=True)
class Outcome:
    """Where a run stands: tables of the rows that are left (a shard each, in order) and of the rejects; the funnel."""

    tables: list[Path]
    rejects: list[Path]
    rows: int = 0
    counts: dict[str, StepCount] = field(default_factory=dict)


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
