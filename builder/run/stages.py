"""Take the clip table through the stages of a plan, and stop where too much fails.

The stages up to the next step that sees all clips are a leg: every piece goes through all of them by itself, so that
workers make ready what a GPU will be asked next. Pieces end in any order, and their results are put in theirs at the
end.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from ..contract.errors import Reason, Rejection
from ..contract.step import TableStep
from ..recipe.plan import Stage
from ..store.arrow import read_table
from .judge import StepCount
from .piece import Here, PieceDone, PieceTask, rejects_of, run_piece
from .settle import settle
from .state import Outcome, Settings, StageProgress, StageWatch, too_many_errors

_FEWEST_OPEN = 2  # while the last clips of one piece are worked on, the next is under way
_MOST_OPEN = 32  # a clip may take minutes, and its piece stays open for it
_LOOK_EVERY_S = 0.05


def run_stages(outcome: Outcome, stages: Sequence[Stage], *, settings: Settings, listed: int) -> None:
    """Take the outcome through all stages, in place. `listed`: rows of the sources, those that are no clips with them.

    Raises RunError when a stage rejects more than `max_reject_rate` of its clips for errors: the outcome has the
    rejects then.
    """
    scratch = settings.work / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    # rows that are no clips count with the first stage, which probes
    errors, of = error_reasons(outcome.rejects), listed
    planned = legs(stages, take_turns=settings.engines.take_turns)
    for number, leg in enumerate(planned):
        read, later = outcome.tables, planned[number + 1 :]
        errors_of = _run_leg(leg, outcome, scratch / f"{number:02}", settings)
        for stage in leg:
            errors += errors_of[stage.title]
            if errors.total() > settings.max_reject_rate * of:
                raise too_many_errors(stage.title, errors, of, settings.max_reject_rate, work=settings.work)
            errors, of = Counter(), outcome.counts[stage.steps[-1].name].rows_out
        for engine in {stage.engine for stage in leg} - {stage.engine for stage in itertools.chain(*later)}:
            if engine:
                settings.engines.close(engine)
        if number:  # not the table of clips itself: a stage's table is as large as the embeddings in it
            for path in read:
                path.unlink()


def legs(stages: Sequence[Stage], *, take_turns: Callable[[str, str], bool]) -> list[tuple[Stage, ...]]:
    """The stages that a piece goes through without waiting for the others.

    One that sees all clips begins a leg; so does one on an engine that takes turns with another of the leg: that has
    the GPUs until it has answered for all.
    """
    result: list[list[Stage]] = []
    for stage in stages:
        before = [other.engine for other in result[-1]] if result else []
        turns = any(take_turns(stage.engine, other) for other in before if stage.engine and other)
        if not result or stage.kind == "table" or turns:
            result.append([])
        result[-1].append(stage)
    return [tuple(leg) for leg in result]


def _run_leg(leg: tuple[Stage, ...], outcome: Outcome, scratch: Path, settings: Settings) -> Mapping[str, Counter[str]]:
    """The outcome after a leg; what failed in each stage, by its title."""
    scratch.mkdir(parents=True)
    pieces = len(outcome.tables)
    watches = {
        stage.title: StageWatch(stage.title, rows=outcome.rows, pieces=pieces, settings=settings) for stage in leg
    }
    decisions = _settled(leg, outcome.tables, settings, watches)
    tasks = [PieceTask(path.stem, path, leg, scratch) for path in outcome.tables]
    here = Here(settings, decisions, watches)
    fewest = _pieces_at_once(leg, outcome, settings)
    try:
        results = _run_pieces(tasks, here, fewest=fewest)
        settings.downloads.finish()
    finally:  # of a leg that ends early too: the error tells the user to look at them
        written = [rejects_of(task) for task in tasks]
        outcome.rejects += [paths[stage.title] for stage in leg for paths in written if stage.title in paths]
    outcome.tables, outcome.rows = [done.table for done in results], sum(done.rows for done in results)
    for done in results:
        for name, count in done.counts.items():
            outcome.counts.setdefault(name, StepCount()).add(count)
    for planned in (planned for stage in leg for planned in stage.steps):
        outcome.counts.setdefault(planned.name, StepCount())
    for watch in watches.values():
        watch.finish()
    return {stage.title: sum((done.errors[stage.title] for done in results), Counter[str]()) for stage in leg}


def _settled(
    leg: Sequence[Stage], tables: Sequence[Path], settings: Settings, watches: Mapping[str, StageWatch]
) -> dict[str, Mapping[str, Rejection]]:
    """What the table step that the leg begins with decides, if it does."""
    decisions: dict[str, Mapping[str, Rejection]] = {}
    for planned in leg[0].steps:
        if isinstance(planned.step, TableStep):
            decisions[planned.name] = settle(
                planned,
                planned.step,
                tables,
                work=settings.work,
                on_seen=partial(_passed, watches[leg[0].title].progress),
            )
    return decisions


def _passed(progress: StageProgress, rows: int) -> None:
    progress.advance(cached=rows)


def _pieces_at_once(leg: Sequence[Stage], outcome: Outcome, settings: Settings) -> int:
    """Enough for an engine to have all the clips it can take, and as many waiting, when a piece is at its end."""
    wanted = max((settings.engines.pool(stage.engine).wanted for stage in leg if stage.engine), default=0)
    pieces = 1 + math.ceil(2 * wanted * len(outcome.tables) / max(1, outcome.rows))
    return min(max(_FEWEST_OPEN, pieces), _MOST_OPEN)


def _run_pieces(tasks: Sequence[PieceTask], here: Here, *, fewest: int) -> list[PieceDone]:
    """All pieces, their results in order. The first failure ends what is under way.

    `fewest` pieces are open, or more while nothing waits to be done: a slow clip holds its own piece alone.
    """
    settings = here.settings
    results: dict[str, PieceDone] = {}
    waiting: Iterator[PieceTask] = iter(tasks)
    open_pieces: set[Future[PieceDone]] = set()
    engines = {stage.engine for task in tasks[:1] for stage in task.stages if stage.engine}
    with ThreadPoolExecutor(_MOST_OPEN) as threads:
        try:
            wanted = fewest
            while len(results) < len(tasks):
                for task in itertools.islice(waiting, max(0, wanted - len(open_pieces))):
                    open_pieces.add(threads.submit(run_piece, task, here))
                ended, open_pieces = wait(open_pieces, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
                results.update((done.piece, done) for done in (future.result() for future in ended))
                hungry = settings.executor.hungry() or any(map(settings.engines.hungry, engines))
                more = len(open_pieces) + 1 if hungry and not ended else 0
                wanted = min(max(fewest, more), _MOST_OPEN)
        except BaseException as error:  # noqa: BLE001  (raised again, or what it came of)
            settings.executor.stop()  # what is in flight ends at once; the journal has what is done
            settings.downloads.stop()
            for engine in engines:
                settings.engines.pool(engine).stop()
            wait(open_pieces)
            raise _cause(error, open_pieces) from None
    return [results[task.piece] for task in tasks]


def _cause(error: BaseException, others: Collection[Future[PieceDone]]) -> BaseException:
    """What went wrong first: a piece that waited for what another one's failure has ended was cancelled by it."""
    cancelled = (CancelledError, asyncio.CancelledError)
    failures = (future.exception() for future in others)
    if isinstance(error, cancelled):
        return next((failure for failure in failures if failure and not isinstance(failure, cancelled)), error)
    return error


def error_reasons(rejects: Sequence[Path]) -> Counter[str]:
    """How often each reason that is an error stands in the rejects tables."""
    reasons = Counter(reason for path in rejects for reason in read_table(path).column("reason").to_pylist())
    return Counter({reason: count for reason, count in reasons.items() if Reason(reason).is_error})
