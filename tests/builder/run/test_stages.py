"""Pieces of the clip table go through the stages by themselves, in any order, with one result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.run.executors.engines import Engines
from shotscribe.builder.run.executors.process import EngineHost
from shotscribe.builder.run.stages import legs

WAITS = """
import time
from pathlib import Path
from typing import Literal
from shotscribe.builder.contract import Clip, ClipStep, Columns, Engine

class Waits(ClipStep):
    '''Leaves a mark for each clip; the one that is named waits for so many marks of a step, and says what it saw.'''
    use: Literal["waits"] = "waits"
    folder: str
    name: str
    marks: int
    of: str = "waits"

    def adds(self) -> Columns:
        return {"saw": "int64"}

    def make(self, clip: Clip, engine: Engine) -> dict:
        saw, deadline = 0, time.monotonic() + 20
        if self.name in clip["source_id"]:
            while saw < self.marks and time.monotonic() < deadline:
                time.sleep(0.02)
                saw = len(list(Path(self.folder).glob(self.of + "-*")))
        (Path(self.folder) / f"waits-{clip['clip_id']}").touch()
        return {"saw": saw}
"""

LATER = """
from pathlib import Path
from typing import Literal
from shotscribe.builder.contract import Clip, ClipStep, Columns, Engine

class Later(ClipStep):
    use: Literal["later"] = "later"
    folder: str

    def adds(self) -> Columns:
        return {"later": "int64"}

    async def make(self, clip: Clip, engine: Engine) -> dict:
        (Path(self.folder) / f"later-{clip['clip_id']}").touch()
        return {"later": 1}
"""

RECIPE = """\
name: pieces
version: "1"
sources: [{{use: folder, path: clips, license: cc0-1.0}}]
steps:
  - {{use: ./waits.py, folder: {folder}, name: "{name}", marks: {marks}, of: {of}}}
  - {{use: ./later.py, folder: {folder}}}
publish: {{caption: null}}
run: {{workers: 2, piece_rows: 1}}
"""
CLIPS = 12


@pytest.fixture
def built(
    tmp_path: Path,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
    command: Callable[..., Any],
) -> Callable[..., list[dict[str, Any]]]:
    (tmp_path / "clips").mkdir()
    for number in range(CLIPS):
        encode(tmp_path / "clips" / f"{number:02}.mp4", moving(4, seed=number))
    (tmp_path / "waits.py").write_text(WAITS)
    (tmp_path / "later.py").write_text(LATER)

    def build(*, name: str, marks: int, of: str = "waits") -> list[dict[str, Any]]:
        marks_folder = tmp_path / f"marks-{name}-{of}"
        marks_folder.mkdir()
        recipe = tmp_path / "pieces.yaml"
        recipe.write_text(RECIPE.format(folder=marks_folder, name=name, marks=marks, of=of))
        done = command(recipe, "--out", tmp_path / f"out-{name}-{of}")
        assert done.returncode == 0, done.stderr
        tables = (pq.read_table(path) for path in sorted((tmp_path / f"out-{name}-{of}" / "metadata").glob("*")))
        return [row for table in tables for row in table.to_pylist()]

    return build


def test_a_slow_clip_holds_up_no_other_piece(built: Callable[..., list[dict[str, Any]]]) -> None:
    """But for one that was sent to its worker while it was thought to be quick."""
    rows = built(name="00", marks=CLIPS - 2)
    saw = {row["source_id"]: row["saw"] for row in rows if row["saw"]}
    assert saw.keys() == {"00.mp4"}
    assert saw["00.mp4"] >= CLIPS - 2


def test_a_piece_goes_on_to_the_next_stage_without_waiting_for_the_others(
    built: Callable[..., list[dict[str, Any]]],
) -> None:
    rows = built(name="11", marks=CLIPS - 2, of="later")
    assert max(row["saw"] for row in rows) >= CLIPS - 2


def test_rows_are_in_one_order_whichever_piece_ends_first(
    built: Callable[..., list[dict[str, Any]]],
) -> None:
    waited, plain = built(name="00", marks=CLIPS - 2), built(name="none", marks=0)
    assert [row["clip_id"] for row in waited] == [row["clip_id"] for row in plain]


@pytest.mark.parametrize("shared", [False, True])
def test_a_leg_begins_at_a_table_step_and_at_an_engine_that_takes_turns(shared: bool, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    share = ", gpu_memory_utilization: 0.5" if shared else ""
    (tmp_path / "x.yaml").write_text(f"""
name: legs
version: "1"
sources: [{{use: demo, count: 1}}]
engines:
  one: {{use: vllm, model: {model}{share}}}
  two: {{use: vllm, model: {model}{share}}}
  far: {{use: openai, model: any, key_env: null}}
steps:
  - {{use: luma}}
  - {{use: keyframes, interval_s: 1, embed: {{use: layout}}}}
  - {{use: short, engine: one}}
  - {{use: tags, engine: far, from_column: short_caption}}
  - {{use: sliding, engine: one}}
  - {{use: summarize, engine: two}}
  - {{use: semantic_dedup, column: caption, threshold: 0.9, embed: {{use: hashing}}}}
  - {{use: duration, min_s: 1}}
publish: {{caption: caption}}
""")
    stages = make_plan(load(tmp_path / "x.yaml")).stages
    specs = load(tmp_path / "x.yaml").engines
    host = EngineHost(specs, limits=Decode(), media_folder=tmp_path, workers=1, gpus=1, logs=tmp_path, on_news=print)
    with Engines(host) as engines:
        titles = [[stage.title for stage in leg] for leg in legs(stages, take_turns=engines.take_turns)]
    before = ["probe", "luma + keyframes", "short", "tags", "sliding"]
    after = ["summarize", "text_embedding"]
    first = [[*before, *after]] if shared else [before, after]
    assert titles == [*first, ["semantic_dedup", "duration"]]
