"""Steps over the rows of a piece once all values are there: columns attached, derived and computed, verdicts applied.

Nothing here touches media: it is what runs again when only a threshold changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ..contract.clip import Columns, Row, Values
from ..contract.columns import added_by, derived_by, read_by, stored_by
from ..contract.errors import Rejection
from ..contract.step import ClipStep, Step
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema
from ..store.rejects import reject_of
from ..store.values import Stored, clips_of, rejections_of
from .executors.blame import Blame, checked, kinds_of

Why = tuple[str, str | None]
"""A reason, and the option that asked for it, if one did."""


@dataclass(slots=True)
class StepCount:
    """The funnel of one step: rows in and out, and the rejected by reason and option."""

    rows_in: int = 0
    rows_out: int = 0
    rejected: Counter[Why] = field(default_factory=Counter)

    def add(self, other: StepCount) -> None:
        self.rows_in += other.rows_in
        self.rows_out += other.rows_out
        self.rejected.update(other.rejected)


@dataclass(slots=True)
class Judged:
    """The rows that are left, with all columns so far; the rejects, in REJECT_COLUMNS; the counts by step name."""

    table: pa.Table
    rejects: list[Values] = field(default_factory=list)
    counts: dict[str, StepCount] = field(default_factory=dict)


def judge(
    table: pa.Table,
    steps: Sequence[PlannedStep],
    *,
    stored: Mapping[str, Stored],
    decisions: Mapping[str, Mapping[str, Rejection]],
) -> Judged:
    """Apply steps in order. `stored`: values by step name; `decisions`: of table steps, by step name and clip_id."""
    judged = Judged(table)
    for planned in steps:
        rows_in = judged.table.num_rows
        if isinstance(planned.step, ClipStep):
            _drop(judged, planned.name, _attach(judged, planned, stored[planned.name]))
        _derive(judged, planned)
        if planned.name in decisions:
            decided = decisions[planned.name]
            ids = judged.table.column("clip_id").to_pylist()
            _drop(judged, planned.name, {at: decided[clip] for at, clip in enumerate(ids) if clip in decided})
        if type(planned.step).verdict is not Step.verdict:
            _drop(judged, planned.name, _verdicts(judged.table, planned))
        count = judged.counts.setdefault(planned.name, StepCount())
        count.rows_in, count.rows_out = rows_in, judged.table.num_rows
    return judged


def _attach(judged: Judged, planned: PlannedStep, stored: Stored) -> dict[int, Rejection]:
    """Add the stored columns; returns the rows for which the step failed."""
    at = [stored.position[clip] for clip in clips_of(judged.table, planned.step)]
    rows = stored.table.take(pa.array(at, type=pa.int64()))
    kinds = stored_by(planned.step)
    _set(judged, kinds, {name: rows.column(name) for name in kinds})
    return {row: rejection for row, rejection in enumerate(rejections_of(rows)) if rejection is not None}


def _derive(judged: Judged, planned: PlannedStep) -> None:
    step = planned.step
    if derived := derived_by(step):
        rows = judged.table.select([*_present(judged.table, step), *stored_by(step)]).to_pylist()
        ids = judged.table.column("clip_id").to_pylist()
        made, kinds = list[Values](), kinds_of(derived)
        with Blame(step, name=planned.name, method="derive", about="") as blame:
            for clip, row in zip(ids, rows, strict=True):
                blame.about = f"clip {clip}"
                made.append(checked(step.derive(row), kinds))
        _set(judged, derived, {name: [row[name] for row in made] for name in derived})


def _present(table: pa.Table, step: Step) -> list[str]:
    return [name for name in read_by(step) if name in table.column_names]


def _set(judged: Judged, kinds: Columns, values: Row) -> None:
    for column in arrow_schema(kinds):
        made = values[column.name]
        if not isinstance(made, pa.Array | pa.ChunkedArray):
            made = pa.array(made, type=column.type)
        if column.name in judged.table.column_names:  # probing settles start and end
            at = judged.table.column_names.index(column.name)
            judged.table = judged.table.set_column(at, column, made)
        else:
            judged.table = judged.table.append_column(column, made)


def _verdicts(table: pa.Table, planned: PlannedStep) -> dict[int, Rejection]:
    step = planned.step
    names = list(dict.fromkeys([*_present(table, step), *added_by(step)]))
    rows, ids = table.select(names).to_pylist(), table.column("clip_id").to_pylist()
    rejections: dict[int, Rejection] = {}
    with Blame(step, name=planned.name, method="verdict", about="") as blame:
        for at, (clip, row) in enumerate(zip(ids, rows, strict=True)):
            blame.about = f"clip {clip}"
            if (rejection := step.verdict(row)) is not None:
                rejections[at] = rejection
    return rejections


def _drop(judged: Judged, name: str, rejections: Mapping[int, Rejection]) -> None:
    if not rejections:
        return
    who = judged.table.select(["clip_id", "source", "source_id"]).take(pa.array(list(rejections), type=pa.int64()))
    for row, rejection in zip(who.to_pylist(), rejections.values(), strict=True):
        judged.rejects.append(reject_of(row, name, rejection))
    count = judged.counts.setdefault(name, StepCount())
    count.rejected.update((str(why.reason), why.option) for why in rejections.values())
    keep = [at for at in range(judged.table.num_rows) if at not in rejections]
    judged.table = judged.table.take(pa.array(keep, type=pa.int64()))
