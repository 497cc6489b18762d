"""A step that adds one constant column to 100,000 rows, over bare batched `datasets.map`: speed and memory.

    python benchmarks/bench_columns.py

Bare: `Dataset.map(batched=True)` from an Arrow file on disk to an Arrow file on disk, the same column. Ours: the stage
as a run executes it, from the clip table on disk to the next table on disk. Target: at least half the speed, and a
peak memory at 100,000 rows of at most 1.3 times that at 10,000 (each in a process of its own).
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import datasets
from shotscribe.builder.contract.clip import Columns, Row
from shotscribe.builder.contract.columns import Derived
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.source import Source, SourceClip
from shotscribe.builder.contract.step import Step
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.plan import PlannedStep, Stage
from shotscribe.builder.run.download import Downloads
from shotscribe.builder.run.executors.engines import Engines
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.builder.run.executors.process import EngineHost
from shotscribe.builder.run.ingest import ingest
from shotscribe.builder.run.stages import run_stages
from shotscribe.builder.run.state import Outcome, Settings
from shotscribe.builder.store.arrow import read_table
from shotscribe.builder.store.clips import ClipTable

RUNS = 7


class Rows(Source):
    use: Literal["rows"] = "rows"
    rows: int

    def clips(self, work: Path) -> Iterator[SourceClip]:
        for index in range(self.rows):
            yield SourceClip(f"{index:08}.mp4", f"http://example.org/{index:08}.mp4", 0.0, 4.0, license="cc0-1.0")


class Constant(Step):
    use: Literal["constant"] = "constant"

    def adds(self) -> Columns:
        return {"constant": Derived("int64")}

    def derive(self, row: Row) -> dict[str, Any]:
        return {"constant": 1}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clips = listed(Path(folder), 100_000)
        ours, bare = [], []
        for _ in range(RUNS + 1):
            bare.append(seconds(lambda: bare_map(clips, Path(folder) / "bare.arrow")))
            ours.append(seconds(lambda: our_stage(clips, Path(folder))))
    ratio = statistics.median(other / mine for mine, other in zip(ours[1:], bare[1:], strict=True))
    print(f"speed, ours / bare datasets.map, 100,000 rows: {ratio:.2f} (median of {RUNS} runs)")
    small, large = peak_mb(10_000), peak_mb(100_000)
    print(f"peak memory, 100,000 / 10,000 rows: {large / small:.2f} ({large:.0f} MB / {small:.0f} MB)")


def listed(folder: Path, rows: int) -> ClipTable:
    return ingest([Rows(rows=rows)], folder=folder / "clips", media_folder=folder, piece_rows=1000, limit=None)


def our_stage(clips: ClipTable, folder: Path) -> None:
    outcome = Outcome(clips.tables, [], clips.rows)
    stage = Stage("clips", (PlannedStep(0, Constant(), "constant", "0" * 64),))
    with Progress() as progress:
        settings = Settings(
            folder,
            Downloads(folder, executor=IDLE, limits=Decode(), progress=progress),
            IDLE,
            NO_ENGINES,
            Decode(),
            0.2,
            (),
            progress,
        )
        run_stages(outcome, [stage], settings=settings, listed=clips.rows)
    assert outcome.rows == clips.rows


def bare_map(clips: ClipTable, target: Path) -> None:
    table = datasets.table.concat_tables([datasets.table.InMemoryTable(clips.clips(piece)) for piece in clips.pieces])
    dataset = datasets.Dataset(table)
    features = datasets.Features({**dataset.features, "constant": datasets.Value("int64")})
    dataset.map(
        lambda batch: {"constant": [1] * len(batch["clip_id"])},
        batched=True,
        features=features,
        new_fingerprint="constant",
        cache_file_name=str(target),
        load_from_cache_file=False,
    )
    assert read_rows(target) == clips.rows


def read_rows(path: Path) -> int:
    return int(datasets.Dataset.from_file(str(path)).num_rows)


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_mb(rows: int) -> float:
    """Of a whole run in a process of its own: listing the rows, the stage, reading all of the result."""
    printed = subprocess.run([sys.executable, __file__, str(rows)], check=True, capture_output=True, text=True).stdout
    return float(printed)


def one_run(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clips = listed(Path(folder), rows)
        our_stage(clips, Path(folder))
        assert sum(read_table(path).num_rows for path in (Path(folder) / "scratch" / "00").glob("*.arrow")) == rows
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


IDLE = LocalExecutor(1)  # no step here needs a worker: it never starts one
NO_ENGINES = Engines(
    EngineHost({}, limits=Decode(), media_folder=Path(), workers=1, gpus=0, logs=Path(), on_news=print)
)

if __name__ == "__main__":
    datasets.disable_progress_bars()
    if len(sys.argv) > 1:
        one_run(int(sys.argv[1]))
    else:
        main()
