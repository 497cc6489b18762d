"""What running a stage costs beside the work itself, with steps that do nothing or only wait.

    python benchmarks/bench_driver.py

- CPU of the driver a clip and stage, with values stored and without: at most 0.05 ms. Clips a second: at least 10,000.
- 16 workers over 10,000 clips of 30 ms, 8 of them of 20 s: the time over that of workers that take one after another
  without a pause, at most 1.15.
"""

from __future__ import annotations

import heapq
import logging
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import datasets
from shotscribe.benchmarks._noop import Noop
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.source import Source, SourceClip
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.plan import PlannedStep, Stage
from shotscribe.builder.run.download import Downloads
from shotscribe.builder.run.executors.engines import Engines
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.builder.run.executors.process import EngineHost
from shotscribe.builder.run.ingest import ingest
from shotscribe.builder.run.stages import run_stages
from shotscribe.builder.run.state import Outcome, Settings
from shotscribe.builder.store.clips import ClipTable

CLIPS = 10_000
NO_ENGINES = Engines(
    EngineHost({}, limits=Decode(), media_folder=Path(), workers=1, gpus=0, logs=Path(), on_news=print)
)


class Rows(Source):
    use: Literal["rows"] = "rows"
    media: str
    rows: int

    def clips(self, work: Path) -> Iterator[SourceClip]:
        for index in range(self.rows):
            yield SourceClip(f"{index:08}.mp4", self.media, 0.0, 4.0, license="cc0-1.0")


def main() -> None:
    datasets.disable_progress_bars()
    logging.getLogger("datasets").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = folder / "a.mp4"
        media.write_bytes(b"x")
        clips = ingest(
            [Rows(media=str(media), rows=CLIPS)],
            folder=folder / "clips",
            media_folder=folder,
            piece_rows=1000,
            limit=None,
        )
        wall, cpu = staged(clips, folder / "noop", Noop(), workers=2)
        print(f"fresh no-op signal: {CLIPS / wall:,.0f} clips/s, driver CPU {cpu / CLIPS * 1000:.3f} ms a clip")
        wall, cpu = staged(clips, folder / "noop", Noop(), workers=2)
        print(f"stored values: {CLIPS / wall:,.0f} clips/s, driver CPU {cpu / CLIPS * 1000:.3f} ms a clip")
        slow = tuple(f"{index:08}." for index in range(500, CLIPS, CLIPS // 8))
        ideal = in_order([20 if f"{index:08}.".startswith(slow) else 0.03 for index in range(CLIPS)], workers=16)
        wall, _ = staged(clips, folder / "slow", Noop(slow=slow, slow_s=20, usual_s=0.03), workers=16)
        print(f"16 workers, {len(slow)} slow clips among {CLIPS:,}: {wall:.1f} s of {ideal:.1f} s = {wall / ideal:.2f}")


def in_order(seconds: list[float], *, workers: int) -> float:
    """How long clips take where each worker takes the next as soon as it is free, and nothing else costs time."""
    free = [0.0] * workers
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


def staged(clips: ClipTable, work: Path, step: Noop, *, workers: int) -> tuple[float, float]:
    """Seconds of a stage of the one step, and of this process's CPU."""
    outcome = Outcome(clips.tables, [], clips.rows)
    stage = Stage("clips", (PlannedStep(0, step, "noop", "0" * 64),))
    with LocalExecutor(workers) as executor, Progress() as progress:
        for _ in range(workers):  # they start before the clock does
            executor.submit(abs, 1, timeout_s=60).result()
        downloads = Downloads(work, executor=executor, limits=Decode(), progress=progress)
        settings = Settings(work, downloads, executor, NO_ENGINES, Decode(), 0.2, (), progress)
        began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        run_stages(outcome, [stage], settings=settings, listed=clips.rows)
        after = resource.getrusage(resource.RUSAGE_SELF)
        wall = time.perf_counter() - began
    assert outcome.rows == clips.rows
    return wall, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


if __name__ == "__main__":
    main()
