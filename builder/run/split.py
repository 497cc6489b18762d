"""One row becomes many: the clips that a step splits a clip into."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection

import pyarrow as pa

from ..contract.clip import Row, Values
from ..contract.columns import added_by, read_by
from ..contract.step import Range, SplitStep
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema
from ..store.rejects import reject_of
from .executors.blame import Blame, checked, kinds_of
from .judge import Judged, StepCount

_NEAR_S = 0.002  # an edge that is so near to the clip's is the clip's


def split(table: pa.Table, planned: PlannedStep, *, ends: Collection[str]) -> Judged:
    """The parts of all clips, in order, each as its corpus might have listed it. `ends`: columns that are not theirs.

    Parts that are left out are rejects, by ids of their own.
    """
    step = planned.step
    assert isinstance(step, SplitStep)
    kinds = kinds_of(added_by(step))
    asked = [name for name in ("clip_id", "start", "end", "duration", *read_by(step)) if name in table.column_names]
    rows = table.select(list(dict.fromkeys([*asked, "source", "source_id"]))).to_pylist()
    parents, parts = list[int](), list[Values]()
    judged, count = Judged(table), StepCount(rows_in=table.num_rows)
    with Blame(step, name=planned.name, method="split", about="") as blame:
        for at, row in enumerate(rows):
            blame.about = f"clip {row['clip_id']}"
            ranges = list(step.split(row))
            if not ranges:
                raise ValueError("it gives no part; one that is left out has its rejection")
            for part in ranges:
                names = _names(row, part)
                if part.rejection is None:
                    parents.append(at)
                    parts.append({**names, **checked(dict(part.values), kinds)})
                else:
                    judged.rejects.append(reject_of({**row, **names}, planned.name, part.rejection))
    made = table.drop_columns([name for name in ends if name in table.column_names])
    made = made.take(pa.array(parents, pa.int64()))
    for column in arrow_schema({"clip_id": "string", "start": "float64", "end": "float64", **added_by(step)}):
        values = pa.array([part[column.name] for part in parts], column.type)
        there = column.name in made.column_names
        made = (
            made.set_column(made.column_names.index(column.name), column, values)
            if there
            else made.append_column(column, values)
        )
    count.rows_out = made.num_rows
    count.rejected = Counter((row["reason"], row["option"]) for row in judged.rejects)
    judged.table, judged.counts = made, {planned.name: count}
    return judged


def _names(row: Row, part: Range) -> Values:
    """The id and the times of a part; a clip that is one part keeps its own. Raises ValueError where it is none."""
    seconds = row["duration"]
    if not -_NEAR_S <= part.start < part.end <= seconds + _NEAR_S:
        raise ValueError(f"its part from {part.start:g} to {part.end:g} s is none of a clip of {seconds:g} s")
    first, last = part.start <= _NEAR_S, part.end >= seconds - _NEAR_S
    start = row["start"] if first else round(row["start"] + part.start, 6)
    end = row["end"] if last else round(row["start"] + part.end, 6)
    clip = row["clip_id"] if first and last else _id(row["clip_id"], start, end)
    return {"clip_id": clip, "start": start, "end": end}


def _id(parent: str, start: float, end: float) -> str:
    """As `clip_id`, from the id of the clip that it is a part of: two clips that overlap have no part in common."""
    words = parent.rsplit("-", 1)[0]
    exact = "\0".join([parent, repr(start), repr(end)])
    return f"{words}-{hashlib.sha256(exact.encode()).hexdigest()[:16]}"
