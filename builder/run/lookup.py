"""What a stage's steps lack for the rows of a piece, and under which version each value is kept.

A value is found by its step, its clip and the values that it was made from. Where those come from another step of the
same stage, and that one lacks them too, the version is only known once they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..contract.clip import Row, Values
from ..contract.columns import read_by, stored_by
from ..recipe.plan import PlannedStep
from ..store.arrow import arrow_schema
from ..store.values import Stored, clips_of, read_columns


@dataclass(frozen=True, slots=True)
class Lookup:
    """`missing`: row -> the steps that have nothing for it, in order; rows that lack nothing are left out, and steps
    after one that failed. `versions`: by the step's name, for each row; None where it is not known yet.
    """

    table: pa.Table
    steps: Sequence[PlannedStep]
    missing: Mapping[int, Sequence[PlannedStep]]
    versions: Mapping[str, Sequence[str | None]]

    def version(self, planned: PlannedStep, row: int, made: Row) -> str:
        """The version of a step's value for a row. `made`: the columns that other steps of the stage made for it."""
        known = self.versions[planned.name][row]
        if known is not None:
            return known
        one = self.table.slice(row, 1)
        kinds = {name: kind for other in self.steps for name, kind in stored_by(other.step).items()}
        for column in arrow_schema({name: kind for name, kind in kinds.items() if name in made}):
            one = _with(one, column.name, pa.array([made[column.name]], column.type))
        return clips_of(one, planned.step)[0][1]


def look_up(table: pa.Table, steps: Sequence[PlannedStep], stored: Mapping[str, Stored]) -> Lookup:
    """`stored`: what there is of each step, by its name."""
    missing: dict[int, list[PlannedStep]] = {}
    versions: dict[str, list[str | None]] = {}
    unknown: dict[str, set[int]] = {}  # rows for which a column is yet to be made
    failed = set[int]()
    seen = table
    for number, planned in enumerate(steps):
        clips, values = clips_of(seen, planned.step), stored[planned.name]
        open_rows = set[int]().union(*(unknown.get(name, ()) for name in read_columns(planned.step, seen.column_names)))
        versions[planned.name] = [None if row in open_rows else version for row, (_, version) in enumerate(clips)]
        places = [None if row in open_rows else values.position.get(clip) for row, clip in enumerate(clips)]
        lacking = {row for row, place in enumerate(places) if place is None and row not in failed}
        for row in lacking:
            missing.setdefault(row, []).append(planned)
        failed.update(row for row, clip in enumerate(clips) if row not in open_rows and clip in values.failed)
        later = {name for other in steps[number + 1 :] for name in read_by(other.step)}
        for name in later.intersection(stored_by(planned.step)):
            seen = _with(seen, name, values.table.column(name).take(pa.array(places, pa.int64())))
            unknown[name] = lacking
    return Lookup(table, steps, dict(sorted(missing.items())), versions)


def known_columns(lookup: Lookup, row: int, stored: Mapping[str, Stored]) -> Values:
    """What steps of the stage made for the clip in an earlier run, for steps that lack a value and read it."""
    missing = lookup.missing[row]
    if len(missing) == len(lookup.steps):
        return {}
    wanted = {name for planned in missing for name in read_by(planned.step)}
    known: Values = {}
    for planned in lookup.steps:
        names = [name for name in stored_by(planned.step) if name in wanted]
        if names and planned not in missing:
            values, clip = stored[planned.name], lookup.table.column("clip_id")[row].as_py()
            place = values.position[clip, str(lookup.versions[planned.name][row])]
            known.update(values.table.slice(place, 1).select(names).to_pylist()[0])
    return known


def flat(made: Mapping[str, Row]) -> Values:
    """The columns of all steps."""
    return {column: value for values in made.values() for column, value in values.items()}


def _with(table: pa.Table, name: str, column: object) -> pa.Table:
    if name in table.column_names:  # probing settles start and end
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)
