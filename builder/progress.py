"""What a run shows of itself: a live line for each stage on a terminal, plain lines now and then in a log; at the end
the funnel.

Progress goes to stderr and the funnel to stdout. Colours follow NO_COLOR. A stream that is no terminal gets nothing but
text, whatever FORCE_COLOR says.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..cards.record import BuildRecord, funnel
from .contract.text import escaped

LOG_EVERY_S = 5.0
"""Seconds between two lines of a stage in a log."""
_WINDOW_S = 60.0  # the speed shown is that of the last minute: a stage's clips are not alike
_HEADINGS = ("clips", "per s", "kept", "rejected", "left")


class StageProgress:
    """One stage: clips that came through, of a total. Its methods may be called from any thread."""

    def __init__(
        self,
        name: str,
        *,
        total: int | None,
        done: int,
        unit: str,
        clock: Callable[[], float],
        changed: Callable[[StageProgress], None],
    ) -> None:
        self.name, self.total, self.cached, self.unit = name, total, done, unit
        self.new = 0
        self.rejected = Counter[str]()
        self.finished = False
        self.logged = self._began = self._work_began = self._ended = clock()
        self._marks: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._clock, self._changed, self._lock = clock, changed, threading.Lock()

    def advance(self, *, kept: int = 0, rejected: Mapping[str, int] | None = None, cached: int = 0) -> None:
        """Count clips: new work that was kept or rejected (by reason), or `cached` from an earlier run, at no cost.

        Where a clip that was counted is dropped later, by a threshold: `kept=-1, rejected={"below_min": 1}`.
        """
        with self._lock:
            now = self._clock()
            self.cached += cached
            self.rejected.update(rejected or {})
            self.new += kept + sum((rejected or {}).values())
            if self.new == 0:  # reading what is there is no work: the speed starts with the first new clip
                self._work_began = now
                self._marks = deque([(now, 0)])
            elif now - self._marks[-1][0] >= 1:
                self._marks.append((now, self.new))
                while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_S:
                    self._marks.popleft()
        self._changed(self)

    def expect(self, more: int) -> None:
        """So many clips more will come than was thought, or fewer."""
        with self._lock:
            self.total = None if self.total is None else self.total + more

    def finish(self) -> None:
        """No more clips will come."""
        with self._lock:
            self.finished, self._ended = True, self._clock()
        self._changed(self)

    @property
    def done(self) -> int:
        return self.cached + self.new

    @property
    def kept(self) -> int:
        return self.done - self.rejected.total()

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self._ended if self.finished else self._clock()) - self._began

    @property
    def rate(self) -> float | None:
        """New clips a second: of the last minute or so, or of the whole stage once it is finished; None without any."""
        since, before = (self._work_began, 0) if self.finished else self._marks[0]
        elapsed = (self._ended if self.finished else self._clock()) - since
        return (self.new - before) / elapsed if self.new > before and elapsed > 0 else None

    @property
    def left_s(self) -> float | None:
        """Seconds to go at that rate; None where nobody can know."""
        if self.finished or self.rate is None or self.total is None:
            return None
        return max(0, self.total - self.done) / self.rate


class Progress:
    """The stages of a run. Use it as a context manager; the lines of finished stages stay."""

    def __init__(self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or _console(sys.stderr)
        self.stages: list[StageProgress] = []
        self._clock = clock
        live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=8) if live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def stage(self, name: str, *, total: int | None, done: int = 0, unit: str = "clips") -> StageProgress:
        """Begin a stage of `total` clips, or of another `unit` (None: nobody knows), `done` of them by an earlier run.

        A name is its steps' joined by ` + `.
        """
        stage = StageProgress(name, total=total, done=done, unit=unit, clock=self._clock, changed=self._log)
        self.stages.append(stage)
        return stage

    def say(self, line: str) -> None:
        """One line of news, above the stages on a terminal. What came before it is not a stage's own speed: an engine
        loads for minutes before the first clip.
        """
        for stage in self.stages:
            if not stage.finished:
                stage.advance()
        self.console.print(escaped(line), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def seconds(self) -> dict[str, float]:
        """What each stage took, by the name of its last step."""
        return {stage.name.split(" + ")[-1]: stage.seconds for stage in self.stages}

    def _log(self, stage: StageProgress) -> None:
        now = self._clock()
        if self._live or (not stage.finished and now - stage.logged < LOG_EVERY_S):
            return
        stage.logged = now
        line = f"{stage.name}: {stage.done:,}{'' if stage.total is None else f' of {stage.total:,}'} {stage.unit}"
        line += f", {_number(stage.rate)} a second" if stage.rate else ""
        line += f", {stage.kept:,} kept, {stage.rejected.total():,} rejected"
        if stage.finished:
            line += f", took {duration(stage.seconds)}"
        elif stage.left_s is not None:
            line += f", {duration(stage.left_s)} left"
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def _table(self) -> Table:
        bar_width = max(4, min(20, self.console.width // 8))
        rows = [(stage, _numbers(stage)) for stage in list(self.stages)]
        widths = [max(map(len, column)) for column in zip(_HEADINGS, *(numbers for _, numbers in rows), strict=True)]
        room = self.console.width - bar_width - sum(widths) - 2 * (len(widths) + 1)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, room), style="bold")
        table.add_column(width=bar_width)
        for heading, width, style in zip(_HEADINGS, widths, ("", "cyan", "green", "yellow", "dim"), strict=True):
            table.add_column(heading, no_wrap=True, justify="right", min_width=width, style=style)
        for stage, numbers in rows:
            total = max(stage.total or 0, 1)
            known = stage.finished or stage.total is not None
            done = total if stage.finished else min(stage.done, total)
            bar = ProgressBar(total=total if known else None, completed=done)
            table.add_row(Text(stage.name), bar, *numbers)
        return table


def _numbers(stage: StageProgress) -> tuple[str, ...]:
    """As _HEADINGS; of a finished stage the last is what it took."""
    return (
        f"{stage.done:,}" if stage.total is None else f"{stage.done:,}/{stage.total:,}",
        _number(stage.rate),
        f"{stage.kept:,}",
        f"{stage.rejected.total():,}",
        f"took {duration(stage.seconds)}" if stage.finished else duration(stage.left_s),
    )


def closing_table(
    record: BuildRecord, *, seconds: Mapping[str, float] | None = None, console: Console | None = None
) -> None:
    """Print the funnel of a finished dataset: rows in and out of each step, and why. `seconds`: of `Progress`."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("step")
    for heading, style in (("in", ""), ("kept", "green"), ("rejected", "yellow")):
        table.add_column(heading, justify="right", style=style, no_wrap=True)
    table.add_column("why")
    if seconds:
        table.add_column("time", justify="right", no_wrap=True)
    for stage in funnel(record):
        name, before, after = stage["name"], stage["rows_in"], stage["rows_out"]
        why = ", ".join(f"{count:,} {reason}" for reason, count in Counter(stage["rejected"]).most_common())
        took = duration(seconds[name]) if seconds and name in seconds else ""
        rejected = sum(stage["rejected"].values())
        cells = (name, f"{before:,}", f"{after:,}", f"{rejected:,}" if rejected else "", why, took)
        table.add_row(*map(Text, cells[: len(table.columns)]))
    console = console or _console(sys.stdout)
    console.print(table)
    size, length = record["bytes"] / 1e6, duration(record["seconds"])
    captioned = f", {record['captioned']:,} of {record['rows']:,} captioned" if record["caption"] is not None else ""
    console.print(f"{record['rows']:,} clips, {length} of video, {size:,.1f} MB{captioned}", highlight=False)
    if cleaned := record.get("texts_cleaned"):
        console.print(f"{cleaned:,} texts published without line breaks, control characters and the like")


def duration(seconds: float | None) -> str:
    """`8s`, `3m 20s`, `2h 05m`, `4d 03h`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def _number(rate: float | None) -> str:
    """A rate with as many digits as matter."""
    return "" if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _console(stream: TextIO) -> Console:
    """Told that a log is no terminal: rich would take FORCE_COLOR's word for it."""
    return Console(file=stream, force_terminal=None if stream.isatty() else False)
