"""A piece of the clip table, taken through all stages up to the next step that sees all clips.

`run_piece` is a function of a task that can be sent anywhere, and of what the place has that works on it. It writes the
rows that are left and the rejects to scratch tables, which hold nothing that the stores do not: they are made anew by
every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..contract.errors import Reason
from ..recipe.plan import Stage
from ..store.arrow import read_table, write_scratch
from ..store.rejects import rejects_table
from .judge import StepCount
from .stage import Decisions, StageDone, run_stage
from .state import Settings, StageWatch


@dataclass(frozen=True, slots=True)
class PieceTask:
    """What to do: the piece's rows are in `table`, results go into `scratch`, under the piece's name."""

    piece: str
    table: Path
    stages: tuple[Stage, ...]
    scratch: Path


@dataclass(frozen=True, slots=True)
class Here:
    """What the place has: how it runs, what table steps have decided, and how each stage is seen, by its title."""

    settings: Settings
    decisions: Decisions
    watches: Mapping[str, StageWatch]


@dataclass(slots=True)
class PieceDone:
    """What came of a piece: `rows` that are left in `table`; by stage its errors by reason, and its table of rejects,
    where there are any; by step the funnel.
    """

    piece: str
    table: Path
    rows: int = 0
    counts: dict[str, StepCount] = field(default_factory=dict)
    errors: dict[str, Counter[str]] = field(default_factory=dict)
    rejects: dict[str, Path] = field(default_factory=dict)


def run_piece(task: PieceTask, here: Here) -> PieceDone:
    """Take a piece through its stages. Where it ends early, the rejects that were known are written all the same."""
    result = PieceDone(task.piece, task.scratch / f"{task.piece}.arrow")
    stage_done = StageDone(read_table(task.table))
    for number, stage in enumerate(task.stages):
        rows = stage_done.table.num_rows
        try:
            run_stage(
                stage,
                stage_done,
                piece=task.piece,
                settings=here.settings,
                watch=here.watches[stage.title],
                decisions=here.decisions,
            )
        finally:
            _write_rejects(task, stage, stage_done)
        result.counts.update(stage_done.counts)
        reasons = Counter[str](row["reason"] for row in stage_done.rejects)
        result.errors[stage.title] = Counter({why: count for why, count in reasons.items() if Reason(why).is_error})
        for later in task.stages[number + 1 :]:
            here.watches[later.title].expect(stage_done.table.num_rows - rows)
        here.watches[stage.title].passed()
    write_scratch(result.table, stage_done.table)
    result.rows = stage_done.table.num_rows
    result.rejects = rejects_of(task)
    return result


def rejects_of(task: PieceTask) -> dict[str, Path]:
    """The tables of rejects that a piece has written so far, by the title of the stage."""
    paths = {stage.title: _rejects_path(task, stage) for stage in task.stages}
    return {title: path for title, path in paths.items() if path.exists()}


def _rejects_path(task: PieceTask, stage: Stage) -> Path:
    return task.scratch / f"{task.piece}.{task.stages.index(stage)}.rejects.arrow"


def _write_rejects(task: PieceTask, stage: Stage, done: StageDone) -> None:
    if done.rejects:
        write_scratch(_rejects_path(task, stage), rejects_table(done.rejects))
