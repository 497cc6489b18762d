"""A step's own bug ends a run in two lines that say where it is, wherever it strikes; and nothing is lost."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import Field
from shotscribe.builder.build import Built, build
from shotscribe.builder.contract.clip import Clip, Columns, Row
from shotscribe.builder.contract.columns import Derived
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.errors import ClipError, Reason, Rejection, RunError, StepError
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.step import ClipStep, Step, TableStep
from shotscribe.builder.recipe import discovery
from shotscribe.builder.recipe.plan import PlannedStep
from shotscribe.builder.run.executors.blame import Blame, checked, kinds_of
from shotscribe.builder.run.executors.work import measure_clip
from shotscribe.builder.run.judge import judge
from shotscribe.builder.run.settle import settle
from shotscribe.builder.store.arrow import write_scratch
from shotscribe.builder.store.values import Stored

RECIPE = """\
name: buggy
version: "1"
sources:
  - {{use: folder, path: "{folder}", license: cc0-1.0}}
steps: [{steps}]
publish: {{caption: null}}
run: {{workers: 2, piece_rows: 2, max_reject_rate: 0.5}}
"""

STEP = """
from pathlib import Path
from typing import Any, Literal
from shotscribe.builder.contract.step import ClipStep, Step, TableStep
from shotscribe.builder.contract.columns import Derived

class Buggy(%(base)s):
    use: Literal["%(use)s"] = "%(use)s"

    def reads(self):
        return {"source_id": "string"}

    def adds(self):
        return %(adds)s

%(body)s
"""

ADDS = '{"bug": "float64"}'
COUNT = """
        with open(%(calls)r, "a") as calls:
            calls.write(clip["source_id"] + "\\n")
"""
CASES: dict[str, tuple[str, str, str, str, str]] = {
    # method: base class, columns added, body, what is said, about
    "make": (
        "ClipStep",
        ADDS,
        "    def make(self, clip, engine):%(count)s        return {'bug': 1 / (clip['source_id'] != 'b.mp4')}",
        "ZeroDivisionError: division by zero",
        "clip b-",
    ),
    "verdict": (
        "Step",
        "{}",
        "    def verdict(self, row):\n        return None if 1 / (row['source_id'] != 'b.mp4') else None",
        "ZeroDivisionError: division by zero",
        "clip b-",
    ),
}


class Quiet:
    def stage(self, name: str, *, total: int | None) -> Quiet:
        return self

    def advance(self, **counts: Any) -> None: ...

    def finish(self) -> None: ...

    def expect(self, more: int) -> None: ...

    def say(self, line: str) -> None: ...


@pytest.fixture(scope="module")
def folder(
    encode: Callable[..., Path], moving: Callable[..., Iterable[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("four")
    for name in "abcd":
        encode(folder / f"{name}.mp4", moving(4, size=(32, 48)))
    return folder


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, Path]]:
    """A step with the bug of a case: its name and its file; the workers find it on sys.path."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    known, names = discovery._modules, list[str]()
    monkeypatch.setattr(
        discovery,
        "_modules",
        lambda kind: {**known(kind), **({name: name for name in names} if kind == "step" else {})},
    )

    def write(case: str) -> tuple[str, Path]:
        base, adds, body, _, _ = CASES[case]
        use = f"buggy_{abs(hash((str(tmp_path), case)))}"
        count = COUNT % {"calls": str(tmp_path / "calls")}
        text = STEP % {"base": base, "use": use, "adds": adds, "body": body.replace("%(count)s", count)}
        (folder / f"{use}.py").write_text(text.replace("class Buggy", f"class {use.title().replace('_', '')}"))
        names.append(use)
        return use, folder / f"{use}.py"

    return write


@pytest.mark.parametrize("case", CASES)
def test_a_bug_is_told_in_two_lines_and_mended_without_loss(
    case: str, folder: Path, tmp_path: Path, step: Callable[[str], tuple[str, Path]]
) -> None:
    use, file = step(case)
    recipe, out = tmp_path / "buggy.yaml", tmp_path / "out"
    recipe.write_text(RECIPE.format(folder=folder, steps=f"{{use: {use}}}"))

    def run() -> Built:
        sys.modules.pop(use, None)
        return build(recipe, out=out, progress=Quiet())

    with pytest.raises(StepError) as raised:
        run()
    assert isinstance(raised.value, RunError)
    assert raised.value.exit_code == 1
    first, second = str(raised.value).splitlines()
    _, _, _, said, about = CASES[case]
    assert first.startswith(f"{use}: {about}")
    assert said in first
    assert f"{file}, line " in first
    number = int(first.split("line ")[1].split(",")[0])
    lines = file.read_text().splitlines()
    assert "source_id" in lines[number - 1] or case in lines[number - 1]
    assert f".work/logs/step-{use}.txt" in second
    stack = (out / ".work" / "logs" / f"step-{use}.txt").read_text()
    assert said.split(":")[0] in stack
    assert file.name in stack or "checked" in stack
    assert not (out / "data").exists()

    file.write_text(
        file.read_text().replace("(clip['source_id'] != 'b.mp4')", "1").replace("(row['source_id'] != 'b.mp4')", "1")
    )
    assert run().record["rows"] == 4
    if (tmp_path / "calls").exists():
        seen = (tmp_path / "calls").read_text().split()
        assert sorted(set(seen)) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
        assert len(seen) <= 4 + 3  # b once more, and what was in flight beside it
    assert pq.read_table(out / "rejects.parquet").num_rows == 0


class Wrong(ClipStep):
    use: str = "wrong"
    gives: dict[str, Any] = Field(default={})

    def adds(self) -> Columns:
        return {"bug": "float64", "derived": Derived("float64")}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        return self.gives

    def derive(self, row: Row) -> dict[str, Any]:
        return {"derived": 1 / row["bug"]}


class Talks(ClipStep):
    use: str = "talks"

    def adds(self) -> Columns:
        return {"text": "string"}

    async def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        return {"text": clip["nothing"]}


class Halves(Step):
    use: str = "halves"

    def adds(self) -> Columns:
        return {"half": Derived("float64")}

    def derive(self, row: Row) -> dict[str, Any]:
        return {"half": "none"}


class Sees(TableStep):
    use: str = "sees"

    def settle(self, table: Any) -> Iterator[tuple[int, Rejection]]:
        yield from table.column("nothing")


TABLE = pa.table({name: ["c1", "c2", "c"] for name in ("clip_id", "source", "source_id", "media_version")})


def _measured(step: ClipStep, tmp_path: Path) -> object:
    return measure_clip({"clip_id": "c1"}, [("this", step)], limits=Decode(), media_folder=tmp_path)


def _judged(step: Step, values: Mapping[str, Any]) -> object:
    versions = {"clip_id": TABLE["clip_id"], "version": TABLE["media_version"], "reason": pa.nulls(3, pa.string())}
    rows = pa.table({**versions, "detail": pa.nulls(3, pa.string()), "passing": pa.nulls(3, pa.bool_()), **values})
    stored = Stored(rows, {(clip, clip): at for at, clip in enumerate(("c1", "c2", "c"))}, frozenset())
    return judge(TABLE, [PlannedStep(0, step, "this", "0" * 64)], stored={"this": stored}, decisions={})


def _settled(step: TableStep, tmp_path: Path) -> object:
    write_scratch(tmp_path / "shard.arrow", TABLE)
    planned = PlannedStep(0, step, "this", "0" * 64)
    return settle(planned, step, [tmp_path / "shard.arrow"], work=tmp_path, on_seen=lambda rows: None)


@pytest.mark.parametrize(
    ("strikes", "said", "method"),
    [
        (
            lambda path: _measured(Wrong(gives={"bug": "much"}), path),
            "clip c1: TypeError: its bug is 'much'",
            "make",
        ),
        (lambda path: _measured(Wrong(), path), "clip c1: TypeError: it returns no value of bug", "make"),
        (lambda path: _measured(Talks(), path), "clip c1: KeyError: 'nothing'", "make"),
        (lambda path: _judged(Wrong(), {"bug": [1.0, 0.0, 0.0]}), "clip c2: ZeroDivisionError", "derive"),
        (lambda path: _judged(Halves(), {}), "clip c1: TypeError: its half is 'none', not double", "derive"),
        (lambda path: _settled(Sees(), path), "3 clips: KeyError", "settle"),
    ],
)
def test_wherever_it_strikes(strikes: Callable[[Path], object], said: str, method: str, tmp_path: Path) -> None:
    with pytest.raises(StepError) as raised:
        strikes(tmp_path)
    first, _ = str(raised.value).splitlines()
    assert first.startswith(f"this: {said}")
    number = int(first.split("test_blame.py, line ")[1].split(",")[0])
    assert first.endswith(f", in {method})")
    before = "\n".join(Path(__file__).read_text().splitlines()[:number])
    assert before.rindex(f"def {method}(") == before.rindex("def ")


def test_our_own_errors_pass_and_others_survive_the_way_between_processes() -> None:
    step = Step(use="x")
    for error in (ClipError(Reason.LIMIT, "x"), RunError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), Blame(step, name="x", method="verdict", about="clip a"):
            raise error
    with pytest.raises(StepError) as raised, Blame(step, name="x-2", method="verdict", about="clip b"):
        raise KeyError("column")
    sent = pickle.loads(pickle.dumps(raised.value))  # noqa: S301  (our own)
    assert str(sent) == str(raised.value)
    assert str(sent).startswith("x-2: clip b: KeyError: 'column' (builder/contract/step.py, line ")
    assert "in verdict)" in str(sent)
    assert (sent.step, sent.stack) == ("x-2", raised.value.stack)


def test_values_fit_the_columns_or_are_named() -> None:
    kinds = {"n": "int64", "words": ["string"], "at": {"x": "float64"}}
    fine = {"n": 3, "words": ["a", None], "at": {"x": 0.5}}
    assert checked({**fine, "more": 1}, kinds_of(kinds)) == fine
    assert checked(dict.fromkeys(kinds), kinds_of(kinds)) == dict.fromkeys(kinds)
    for wrong in (
        {"n": 2.5},
        {"n": "3"},
        {"words": "a"},
        {"words": [1]},
        {"at": 0.5},
        {"at": {"x": "y"}},
        {"n": 2**70},
    ):
        with pytest.raises(TypeError, match=f"its {next(iter(wrong))} is "):
            checked({**fine, **wrong}, kinds_of(kinds))
    with pytest.raises(TypeError, match="no value of words, at"):
        checked({"n": 1}, kinds_of(kinds))
