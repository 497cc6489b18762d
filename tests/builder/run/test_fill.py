"""Filling: only what lacks is made, it comes to its own clip, and an interrupted shard loses nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from shotscribe.builder.contract.clip import Clip, Columns, Row
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import Reason, Rejection, RunError
from shotscribe.builder.contract.step import ClipStep, Measured
from shotscribe.builder.recipe.plan import PlannedStep
from shotscribe.builder.run.fill import fill
from shotscribe.builder.run.judge import judge
from shotscribe.builder.run.lookup import look_up
from shotscribe.builder.run.making import OnMade, Todo
from shotscribe.builder.store.completions import ClipLog
from shotscribe.builder.store.values import ValueStore, value_store


class Number(ClipStep):
    use: Literal["number"] = "number"
    column: str
    needs: str | None = None

    def reads(self) -> Columns:
        return {self.needs: "float64"} if self.needs else {}

    def adds(self) -> Columns:
        return {self.column: "float64", f"{self.column}_list": ["float64"]}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        raise NotImplementedError


def step(column: str, *, key: str = "", needs: str | None = None) -> PlannedStep:
    return PlannedStep(0, Number(column=column, needs=needs), column, (key or column).encode().hex().ljust(64, "0"))


class Bench:
    """A shard, its stores, and a worker that answers out of order and remembers what it was asked."""

    def __init__(self, work: Path, clips: Mapping[str, str]) -> None:
        self.work = work
        self.table = pa.table(
            {
                "clip_id": list(clips),
                "source": ["s"] * len(clips),
                "source_id": list(clips),
                "media_version": list(clips.values()),
            }
        )
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.failing: dict[tuple[str, str], Reason] = {}
        self.stop_after: int | None = None
        self.world = 0  # another one measures other values

    def value(self, clip: str, column: str) -> float:
        return random.Random(f"{clip} {column} {self.world}").random()

    async def measure(self, row: Row, missing: Sequence[PlannedStep], log: ClipLog) -> Measured:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise RunError("the disk is full")
        self.asked.append((row["clip_id"], tuple(planned.name for planned in missing)))
        await asyncio.sleep(random.Random(row["clip_id"]).random() / 100)
        values: dict[str, dict[str, Any]] = {}
        for planned in missing:
            if reason := self.failing.get((row["clip_id"], planned.name)):
                return Measured(values, planned.name, Rejection(reason, "why", passing=reason == Reason.MISSING_FILE))
            needs = planned.step.needs if isinstance(planned.step, Number) else None
            if needs:
                known = values[needs][needs] if needs in values else row[needs]
                assert known == self.value(row["clip_id"], needs)
            number = self.value(row["clip_id"], planned.name)
            values[planned.name] = {planned.name: number, f"{planned.name}_list": [number, number]}
        return Measured(values)

    async def make(self, todo: Sequence[Todo], on_made: OnMade) -> None:
        async def one(place: int, clip: Todo) -> None:
            on_made(place, await self.measure(clip.row, clip.missing, clip.log))

        await asyncio.gather(*(one(place, clip) for place, clip in enumerate(todo)))

    def stores(self, steps: Sequence[PlannedStep]) -> dict[str, ValueStore]:
        return {planned.name: value_store(self.work, planned.step, planned.key) for planned in steps}

    def fill(self, steps: Sequence[PlannedStep], *, retry: Sequence[str] = ()) -> bool:
        stores = self.stores(steps)
        stored = {name: store.read("head", retry=retry, passing=False) for name, store in stores.items()}
        return fill(
            "head",
            look_up(self.table, steps, stored),
            stores=stores,
            stored=stored,
            make=self.make,
            work=self.work,
            engine=None,
            retry=retry,
            on_clip=lambda row, measured: None,
        )

    def kept(self, steps: Sequence[PlannedStep]) -> list[str]:
        """The clips that are left; each has its own values."""
        stored = {name: store.read("head") for name, store in self.stores(steps).items()}
        judged = judge(self.table, steps, stored=stored, decisions={})
        for row in judged.table.to_pylist():
            for planned in steps:
                number = self.value(row["clip_id"], planned.name)
                assert (row[planned.name], row[f"{planned.name}_list"]) == (number, [number, number])
        assert judged.table.num_rows + len(judged.rejects) == self.table.num_rows
        return [row["clip_id"] for row in judged.table.to_pylist()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, {f"clip{at}": "1" for at in range(30)})


def test_values_come_to_their_clips_and_are_made_once(bench: Bench) -> None:
    steps = [step("a"), step("b")]
    bench.failing = {("clip3", "a"): Reason.DECODE_ERROR, ("clip7", "b"): Reason.TIMEOUT}
    assert bench.fill(steps)
    assert bench.kept(steps) == [f"clip{at}" for at in range(30) if at not in (3, 7)]
    assert not bench.fill(steps)
    assert len(bench.asked) == 30
    assert not list((bench.work / "filling").rglob("*.*"))


def test_a_new_step_reads_what_an_old_one_stored(bench: Bench) -> None:
    assert bench.fill([step("a")])
    bench.asked.clear()
    steps = [step("a"), step("b", needs="a")]
    assert bench.fill(steps)
    assert {names for _, names in bench.asked} == {("b",)}
    assert len(bench.kept(steps)) == 30


def test_a_replaced_file_is_measured_anew(bench: Bench) -> None:
    steps = [step("a")]
    bench.fill(steps)
    versions = ["2" if clip == "clip5" else "1" for clip in bench.table.column("clip_id").to_pylist()]
    bench.table = bench.table.set_column(3, "media_version", pa.array(versions))
    bench.asked.clear()
    assert bench.fill(steps)
    assert [clip for clip, _ in bench.asked] == ["clip5"]


def test_another_key_measures_anew(bench: Bench) -> None:
    bench.fill([step("a")])
    assert bench.fill([step("a", key="other")])
    assert len(bench.asked) == 60


def test_what_was_made_from_a_value_is_made_again_when_that_is_another(bench: Bench) -> None:
    steps = [step("a"), step("b", needs="a"), step("c")]
    bench.fill(steps)
    bench.asked.clear()
    bench.world = 1  # b is stored, and of values that are gone
    steps[0] = step("a", key="other")
    assert bench.fill(steps)
    assert {names for _, names in bench.asked} == {("a", "b")}
    assert not bench.fill(steps)
    with pytest.raises(AssertionError):  # c is of the first world still: its own key did not change
        bench.kept(steps)
    assert len(bench.kept(steps[:2])) == 30


def test_a_lost_value_that_comes_out_the_same_loses_nothing_else(bench: Bench) -> None:
    steps = [step("a"), step("b", needs="a")]
    bench.fill(steps)
    (part,) = bench.stores(steps)["a"].folder.iterdir()
    part.unlink()
    bench.fill(steps)
    bench.asked.clear()
    assert not bench.fill(steps)
    assert len(bench.kept(steps)) == 30


@pytest.mark.parametrize("needs", [None, "a"])
def test_an_interrupted_piece_goes_on(bench: Bench, needs: str | None) -> None:
    steps = [step("a"), step("b", needs=needs)]
    bench.stop_after = 11
    with pytest.raises(RunError, match="disk is full"):
        bench.fill(steps)
    done = len(list((bench.work / "filling" / "journal").glob("*"))) and sum(
        path.read_bytes().count(b"\n") for path in (bench.work / "filling" / "journal").iterdir()
    )
    bench.stop_after = None
    before = len(bench.asked)
    assert bench.fill(steps)
    assert len(bench.asked) - before == 30 - done
    assert len(bench.kept(steps)) == 30


def test_an_interrupted_run_whose_recipe_changed_takes_nothing_stale(bench: Bench) -> None:
    bench.stop_after = 11
    with pytest.raises(RunError):
        bench.fill([step("a"), step("b")])
    bench.stop_after = None
    bench.asked.clear()
    steps = [step("a"), step("b", key="other")]
    assert bench.fill(steps)
    assert len(bench.asked) == 30
    assert len(bench.kept(steps)) == 30


@pytest.mark.parametrize("needs", [None, "a"])
@pytest.mark.parametrize("lost", ["a", "b"])
def test_a_kill_between_the_parts_of_two_steps(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lost: Literal["a", "b"], needs: str | None
) -> None:
    """One step's values are stored, the other's are in the journal alone: nothing is measured twice."""
    steps = [step("a"), step("b", needs=needs)]
    bench.failing = {("clip3", "a"): Reason.DECODE_ERROR, ("clip7", "b"): Reason.TIMEOUT}
    write: Callable[..., None] = ValueStore.write

    def killed(store: ValueStore, shard: str, rows: int, columns: Mapping[str, Any]) -> None:
        if lost in store.columns:
            raise KeyboardInterrupt
        write(store, shard, rows, columns)

    with monkeypatch.context() as patch:
        patch.setattr(ValueStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.fill(steps)
    bench.asked.clear()
    assert bench.fill(steps)
    assert bench.asked == []
    assert bench.kept(steps) == [f"clip{at}" for at in range(30) if at not in (3, 7)]


def test_retry_tries_the_failed_once_more_and_no_others(bench: Bench) -> None:
    steps = [step("a"), step("b")]
    bench.failing = {
        ("clip3", "a"): Reason.TIMEOUT,
        ("clip7", "b"): Reason.TIMEOUT,
        ("clip9", "b"): Reason.DECODE_ERROR,
    }
    bench.fill(steps)
    bench.asked.clear()
    bench.failing = {}
    assert not bench.fill(steps, retry=[Reason.LIMIT])
    assert bench.fill(steps, retry=[Reason.TIMEOUT])
    assert sorted(bench.asked) == [("clip3", ("a", "b")), ("clip7", ("b",))]
    assert bench.kept(steps) == [f"clip{at}" for at in range(30) if at != 9]


@pytest.mark.parametrize("killed", [False, True])
def test_what_the_surroundings_did_is_rejected_once_and_tried_again_by_the_same_command(
    bench: Bench, killed: bool
) -> None:
    steps = [step("a"), step("b")]
    bench.failing = {("clip3", "a"): Reason.MISSING_FILE, ("clip7", "b"): Reason.TIMEOUT}
    if killed:
        bench.stop_after = 20
        with pytest.raises(RunError):
            bench.fill(steps)
        bench.stop_after = None
    bench.fill(steps)
    assert bench.kept(steps) == [f"clip{at}" for at in range(30) if at not in (3, 7)]
    bench.asked.clear()
    bench.failing = {}
    assert bench.fill(steps)
    assert bench.asked == [("clip3", ("a", "b"))]
    assert bench.kept(steps) == [f"clip{at}" for at in range(30) if at != 7]


def test_retry_does_not_believe_the_journal_of_an_interrupted_run(bench: Bench) -> None:
    steps = [step("a")]
    bench.failing = {(f"clip{at}", "a"): Reason.TIMEOUT for at in range(30)}
    bench.stop_after = 20
    with pytest.raises(RunError):
        bench.fill(steps)
    bench.stop_after, bench.failing = None, {}
    bench.asked.clear()
    assert bench.fill(steps, retry=[Reason.TIMEOUT])
    assert len(bench.asked) == 30
    assert len(bench.kept(steps)) == 30
