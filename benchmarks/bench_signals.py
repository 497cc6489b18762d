"""CPU time of all signals and keyframes over a bare sequential decode of the same clips: at most 1.3 is the target.

    python benchmarks/bench_signals.py FOLDER

Both sides run in this process on one thread. Bare: every frame of the file decoded by PyAV, and nothing done with it.
Ours: probing, then every signal and the keyframes of recipes/demo.yaml over one decode, as a worker process does it;
and the same without camera_motion, which alone wants ten frames a second.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import media_of, media_stat
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.probe import Probe
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.run.executors.work import measure_clip

RUNS = 5
RECIPE = Path(__file__).parents[1] / "recipes" / "demo.yaml"


def main(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".mp4", ".mkv", ".mov", ".webm"))
    plan = make_plan(load(RECIPE))
    planned = [one for stage in plan.stages for one in stage.steps]
    signals = [(one.name, one.step) for one in planned if isinstance(one.step, ClipStep) and one.step.sees()]
    print(f"{len(files)} files; signals: {', '.join(name for name, _ in signals)}")
    others = [(name, step) for name, step in signals if step.use != "camera_motion"]
    bare, ours, without = [], [], []
    for _ in range(RUNS + 1):  # the first warms the page cache and the imports
        bare.append(sum(cpu_s(partial(decode_all, path)) for path in files))
        ours.append(sum(cpu_s(partial(measure, path, signals)) for path in files))
        without.append(sum(cpu_s(partial(measure, path, others)) for path in files))
    ratio = statistics.median(mine / other for mine, other in zip(ours[1:], bare[1:], strict=True))
    print(f"all signals and keyframes / bare decode: {ratio:.2f} (CPU time, median of {RUNS} runs)")
    share = statistics.median(1 - less / mine for less, mine in zip(without[1:], ours[1:], strict=True))
    print(f"camera_motion's share of that: {share:.2f}")


def cpu_s(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def decode_all(path: Path) -> None:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        for _ in container.decode(stream):
            pass


def measure(path: Path, signals: list[tuple[str, ClipStep]]) -> None:
    limits = Decode()
    row = {
        "clip_id": path.stem,
        "media": media_of(path),
        "media_version": "1",
        "media_stat": media_stat(path),
        "start": None,
        "end": None,
    }
    probe = Probe(max_pixels=limits.max_pixels, max_frames=limits.max_frames)
    probed = measure_clip(row, [("probe", probe)], limits=limits, media_folder=path.parent)
    assert probed.rejection is None, f"{path.name}: {probed.rejection}"
    done = measure_clip({**row, **probed.values["probe"]}, signals, limits=limits, media_folder=path.parent)
    assert done.rejection is None, f"{path.name}: {done.rejection}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
