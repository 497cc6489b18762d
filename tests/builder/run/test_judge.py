"""Judging: each row ends kept or rejected exactly once, with its own values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import Clip, Columns, Row
from shotscribe.builder.contract.columns import Derived
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.markers import Judges
from shotscribe.builder.contract.step import ClipStep, Step, TableStep, above, below
from shotscribe.builder.recipe.plan import PlannedStep
from shotscribe.builder.run.judge import judge
from shotscribe.builder.store.arrow import arrow_schema
from shotscribe.builder.store.rejects import rejects_table
from shotscribe.builder.store.values import Stored


class Measure(ClipStep):
    use: Literal["measure"] = "measure"
    column: str = "score"
    min: Judges[float | None] = None

    def adds(self) -> Columns:
        return {self.column: "float64", f"{self.column}_level": Derived("string")}

    def derive(self, row: Row) -> dict[str, Any]:
        return {f"{self.column}_level": "high" if row[self.column] > 0.5 else "low"}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        raise NotImplementedError

    def verdict(self, row: Row) -> Rejection | None:
        return below(self.column, row[self.column], self.min, option="min")


class Double(Step):
    use: Literal["double"] = "double"

    def reads(self) -> Columns:
        return {"first": "float64"}

    def adds(self) -> Columns:
        return {"doubled": Derived("float64")}

    def derive(self, row: Row) -> dict[str, Any]:
        return {"doubled": 2 * row["first"]}


class AtMost(Step):
    use: Literal["at_most"] = "at_most"
    max: float = 1.5

    def reads(self) -> Columns:
        return {"doubled": "float64"}

    def verdict(self, row: Row) -> Rejection | None:
        return above("doubled", row["doubled"], self.max, option="max")


class Dedup(TableStep):
    use: Literal["dedup"] = "dedup"

    def settle(self, table: Any) -> Iterator[tuple[int, Rejection]]:
        raise NotImplementedError


def planned(step: Step, name: str) -> PlannedStep:
    return PlannedStep(0, step, name, "0" * 64)


STEPS = [
    planned(Measure(column="first", min=0.1), "measure"),
    planned(Double(), "double"),
    planned(AtMost(), "at_most"),
    planned(Measure(column="second", min=0.2), "measure-2"),
    planned(Dedup(), "dedup"),
]

OPTIONS = {"below_min": "min", "above_max": "max", "duplicate": "threshold"}
unit = st.floats(0, 1)
FAILED = st.sampled_from([Reason.TIMEOUT, Reason.DECODE_ERROR])
row = st.tuples(unit | FAILED, unit | FAILED, st.booleans())


def stored_values(column: str, values: Mapping[str, float | Reason]) -> Stored:
    """In an order of its own, with rows of another version that must not be taken."""
    kinds: Columns = {
        "clip_id": "string",
        "version": "string",
        "reason": "string",
        "detail": "string",
        "passing": "bool",
        column: "float64",
    }
    rows: list[tuple[Any, ...]] = [(clip, "old", None, None, None, 0.77) for clip in values]
    for clip, value in sorted(values.items(), reverse=True):
        failed = isinstance(value, Reason)
        why = (str(value), "why", False, None) if failed else (None, None, None, value)
        rows.append((clip, "1", *why))
    columns = [
        pa.array(list(one), kind.type) for one, kind in zip(zip(*rows, strict=True), arrow_schema(kinds), strict=True)
    ]
    table = pa.table(columns, schema=arrow_schema(kinds))
    position = {(one[0], one[1]): at for at, one in enumerate(rows)}
    return Stored(table, position, frozenset((one[0], one[1]) for one in rows if one[2]))


@settings(max_examples=150)
@given(st.lists(row, min_size=1, max_size=25))
def test_every_row_is_kept_or_rejected_once_and_counts_add_up(rows: list[tuple[Any, Any, bool]]) -> None:
    ids = [f"clip{at}" for at in range(len(rows))]
    table = pa.table(
        {
            "clip_id": ids,
            "source": ["s"] * len(ids),
            "source_id": [clip + ".mp4" for clip in ids],
            "media_version": ["1"] * len(ids),
        }
    )
    first = {clip: values[0] for clip, values in zip(ids, rows, strict=True)}
    reached = {clip: values[1] for clip, values in zip(ids, rows, strict=True) if not isinstance(values[0], Reason)}
    stored = {"measure": stored_values("first", first), "measure-2": stored_values("second", reached or {"none": 0.0})}
    duplicates = {
        clip: Rejection(Reason.DUPLICATE, "of x", "threshold")
        for clip, values in zip(ids, rows, strict=True)
        if values[2]
    }
    judged = judge(table, STEPS, stored=stored, decisions={"dedup": duplicates})

    def expected(clip: str, one: Any, two: Any, duplicate: bool) -> tuple[str, str] | None:
        if isinstance(one, Reason):
            return "measure", str(one)
        if one < 0.1:
            return "measure", "below_min"
        if 2 * one > 1.5:
            return "at_most", "above_max"
        if isinstance(two, Reason):
            return "measure-2", str(two)
        if two < 0.2:
            return "measure-2", "below_min"
        return ("dedup", "duplicate") if duplicate else None

    verdicts = {clip: expected(clip, *values) for clip, values in zip(ids, rows, strict=True)}
    kept = [clip for clip in ids if verdicts[clip] is None]
    assert judged.table.column("clip_id").to_pylist() == kept
    for made in judged.table.to_pylist():
        assert made["source_id"] == made["clip_id"] + ".mp4"
        assert (made["first"], made["second"]) == (first[made["clip_id"]], reached[made["clip_id"]])
        assert made["doubled"] == 2 * made["first"]
        assert made["first_level"] == ("high" if made["first"] > 0.5 else "low")
    assert {reject["clip_id"]: (reject["step"], reject["reason"]) for reject in judged.rejects} == {
        clip: verdict for clip, verdict in verdicts.items() if verdict
    }
    assert len(judged.rejects) == len(rows) - len(kept)
    rows_in = len(rows)
    for step in STEPS:
        count = judged.counts[step.name]
        assert count.rows_in == rows_in
        assert count.rows_in - count.rejected.total() == count.rows_out
        assert count.rejected == Counter(
            (verdict[1], OPTIONS.get(verdict[1]))
            for verdict in verdicts.values()
            if verdict and verdict[0] == step.name
        )
        rows_in = count.rows_out
    written = rejects_table(judged.rejects)
    assert written.num_rows == len(judged.rejects)
    assert written.column("option").to_pylist() == [OPTIONS.get(row["reason"]) for row in judged.rejects]


def test_no_rows_at_all() -> None:
    table = pa.table({name: pa.array([], pa.string()) for name in ("clip_id", "source", "source_id", "media_version")})
    empty = {"measure": stored_values("first", {"x": 1.0}), "measure-2": stored_values("second", {"x": 1.0})}
    judged = judge(table, STEPS, stored=empty, decisions={"dedup": {}})
    assert judged.table.num_rows == 0
    assert {"first", "doubled", "second", "second_level"} <= set(judged.table.column_names)
