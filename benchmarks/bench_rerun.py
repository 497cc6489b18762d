"""A finished run of 10,000 clips started again, and with a changed threshold, over the first run.

    python benchmarks/bench_rerun.py [CLIPS]

Each run is the command in a process of its own, start of Python included. Targets: under 2% of the first run's time,
nothing decoded; changing only a threshold decodes nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

RECIPE = """\
name: rerun
version: "1"
sources: [{{use: folder, path: clips, license: cc0-1.0}}]
steps:
  - {{use: duration, min_s: 0.2}}
  - {{use: luma}}
  - {{use: blur}}
  - {{use: motion}}
  - {{use: keyframes, interval_s: 0.5, below: 0.93, embed: {{use: layout}}}}
  - {{use: signals}}
  - {{use: resolution, min_short_px: {threshold}}}
publish: {{caption: caption}}
run: {{max_reject_rate: 0}}
"""
DISTINCT = 20
AGAIN = 5


def main(clips: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_clips(folder / "clips", clips)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE.format(threshold=16))
        first = run_s(recipe)
        stored = values(folder)
        again = statistics.median(run_s(recipe) for _ in range(AGAIN))
        print(f"{clips} clips: started again / first run: {again / first:.4f} (median of {AGAIN})")
        recipe.write_text(RECIPE.format(threshold=17))
        changed = run_s(recipe)
        decoded = len(values(folder) - stored)
        print(
            f"{clips} clips: with a changed threshold / first run: {changed / first:.4f}; {decoded} value files added"
        )


def make_clips(folder: Path, clips: int) -> None:
    """Half a second each; as many files, of a few distinct contents."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    contents = []
    for seed in range(DISTINCT):
        path = folder / f"{seed}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=24)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            picture = rng.integers(0, 256, (96, 256, 3), np.uint8)
            for at in range(12):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:, at * 2 : at * 2 + 128]))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        contents.append(path.read_bytes())
        path.unlink()
    for index in range(clips):
        (folder / f"{index:06}.mp4").write_bytes(contents[index % DISTINCT])


def run_s(recipe: Path) -> float:
    command = [sys.executable, "-c", "from shotscribe.builder.cli import main; main()", str(recipe), "--out", "out"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=recipe.parent, capture_output=True, text=True, env=dict(os.environ), check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - started


def values(folder: Path) -> set[Path]:
    return set((folder / "out" / ".work" / "values").rglob("*.arrow"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
