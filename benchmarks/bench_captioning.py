"""What a whole captioning run loses against the bare engine: the same requests, sent at once, with no dependency.

    python benchmarks/bench_captioning.py                               # a tiny model of random weights, also on a CPU
    python benchmarks/bench_captioning.py --model Qwen/Qwen2.5-VL-7B-Instruct --revision COMMIT [--dummy]

The run is `sliding` over clips of 3 to 30 keyframes in several shards, from the engine's being ready to the last
caption: decoding, the dependency of each window on the one before, logs, shards and all. The bare engine gets the very
same requests, with their frames decoded before. Targets: at least 0.95 of its windows a second (and so of its tokens a
second, as all answers have one length); each frame encoded once, although two windows see it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
from shotscribe.benchmarks import _tiny_vlm
from shotscribe.builder.build import build
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Completion, Engine, Request
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.recipe import Recipe, load
from shotscribe.builder.run.executors.work import decoded
from shotscribe.captioners.engines.vllm import Vllm
from shotscribe.captioners.sliding import Sliding

RUNS = 3
TOKENS = 48
SIDE_PX = 112
RECIPE = """\
name: captioning
version: "1"
sources: [{{use: folder, path: clips, license: cc0-1.0}}]
engines:
  vlm: {engine}
steps:
  - {{use: keyframes, interval_s: 0.5, below: 0.999, embed: {{use: layout}}}}
  - {{use: sliding, engine: vlm, max_tokens: {tokens}, retries: 0, bad: keep, mentions: keep}}
run: {{piece_rows: {piece_rows}}}
"""


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_clips(folder / "clips", options.clips)
        engine = engine_of(options, folder)
        recipe = folder / "recipe.yaml"
        text = RECIPE.format(engine=json.dumps(engine), tokens=TOKENS, piece_rows=max(1, options.clips // 6))
        recipe.write_text(text)
        ratios = []
        for number in range(RUNS):
            out, encoded = folder / f"out{number}", folder / f"encoded{number}"
            os.environ["ENCODED"] = str(encoded)
            with GpuUse() as gpu:
                windows, clock = whole_run(recipe, out)
            del os.environ["ENCODED"]
            seconds = clock.ended - clock.ready
            bare = apart(bare_engine, recipe, out)
            ratios.append(windows / seconds / bare)
            print(f"run {number + 1}: windows a second, whole run / bare engine: {ratios[-1]:.3f}")
            print(f"       {clock.said}")
            print(
                f"       {windows / seconds * TOKENS:.0f} tokens, {options.clips / seconds:.2f} clips a second", end=""
            )
            print(f"; the bare engine {bare * TOKENS:.0f} tokens{gpu.share(clock)}")
            if encoded.exists():
                names = encoded.read_text().split()
                print(f"       frames encoded: {len(names)}, different ones: {len(set(names))}")
        print(f"windows a second, whole run / bare engine: {statistics.median(ratios):.3f} (median of {RUNS} runs)")


def engine_of(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The recipe's engine: the model that was asked for, or the tiny one."""
    arguments: dict[str, Any] = {"worker_extension_cls": "shotscribe.benchmarks._encoded.Counting"}
    if options.model:
        if options.dummy:
            arguments["load_format"] = "dummy"
        return {"use": "vllm", "model": options.model, "revision": options.revision, "arguments": arguments}
    _tiny_vlm.make(folder / "model")
    tiny = {"dtype": "float32", "max_model_len": 2048, "enforce_eager": True, "gpu_memory_utilization": 0.2}
    tiny["max_num_seqs"] = 32
    return {"use": "vllm", "model": str(folder / "model"), **tiny, "arguments": arguments}


def make_clips(folder: Path, clips: int) -> None:
    """Clips of 3 to 30 keyframes, each of another picture."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lengths = random.Random(0)
    for number in range(clips):
        with av.open(str(folder / f"{number:04}.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=10)
            stream.width = stream.height = SIDE_PX
            stream.pix_fmt, stream.options = "yuv420p", {"preset": "ultrafast"}
            for _ in range(lengths.randint(3, 30)):
                picture = np.kron(rng.integers(0, 256, (7, 7, 3)), np.ones((16, 16, 1))).astype(np.uint8)
                for _ in range(5):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))


class Clock(Progress):
    """Tells when the engine was ready, when it had answered all, and what it said of itself."""

    ready = ended = 0.0
    said = ""

    def say(self, line: str) -> None:
        if line.endswith(": ready"):
            self.ready = time.monotonic()
        elif "requests answered" in line:
            self.ended, self.said = time.monotonic(), line


class GpuUse(threading.Thread):
    """What the driver says of the GPUs, twice a second; nothing on a machine without one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seen: list[tuple[float, float]] = []
        self._over = threading.Event()

    def run(self) -> None:
        while shutil.which("nvidia-smi") and not self._over.wait(0.5):
            query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
            said = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
            self._seen.append((time.monotonic(), statistics.mean(map(float, said))))

    def share(self, clock: Clock) -> str:
        """How busy they were while the engine was captioning."""
        during = [busy for at, busy in self._seen if clock.ready <= at <= clock.ended]
        return f"; GPU busy {statistics.mean(during):.0f}%" if during else ""

    def __enter__(self) -> GpuUse:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()


def whole_run(recipe: Path, out: Path) -> tuple[int, Clock]:
    """How many windows there were, and when."""
    with Clock() as clock:
        build(recipe, out=out, progress=clock)
    return sum(map(len, pq.read_table(out / "metadata", columns=["diff_captions"]).column(0).to_pylist())), clock


def apart(function: Any, *arguments: object) -> float:
    """Run it in a process of its own, which is no daemon: an engine starts children, and leaves memory behind."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, function, *arguments))
    process.start()
    answer: float = ours.recv()
    process.join()
    return answer


def _answer(line: Any, function: Any, *arguments: object) -> None:
    line.send(function(*arguments))


def bare_engine(path: Path, out: Path) -> float:
    """Requests a second of the engine alone."""
    recipe = load(path)
    return asyncio.run(_bare(recipe, requests_of(recipe, path.parent, out)))


async def _bare(recipe: Recipe, requests: Sequence[Request]) -> float:
    spec = recipe.engines["vlm"]
    assert isinstance(spec, Vllm)
    engine = await spec.start()
    started = time.monotonic()
    await asyncio.gather(*(engine.complete(request) for request in requests))
    seconds = time.monotonic() - started
    await engine.close()
    return len(requests) / seconds


def requests_of(recipe: Recipe, folder: Path, out: Path) -> list[Request]:
    """What a finished run asked: its captioner is run again, and told at once what it was answered then."""
    step = next(step for step in recipe.steps if isinstance(step, Sliding))
    asked: list[Request] = []
    for row in pq.read_table(out / "metadata").to_pylist():
        row["media"] = str(folder / "clips" / row["source_id"])
        frames = decoded(row, step.samplings(row), limits=Decode(), media_folder=folder)
        told = _Told([window["caption"] for window in row["diff_captions"]], asked)
        asyncio.run(step.make(Clip(row, frames.__getitem__), told))
    return asked


class _Told(Engine):
    """An engine that knows the answers."""

    def __init__(self, answers: Sequence[str], asked: list[Request]) -> None:
        self._answers, self._asked = iter(answers), asked

    async def complete(self, request: Request) -> Completion:
        self._asked.append(request)
        return Completion(next(self._answers), "length", 0, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--model", default=None)
    parser.add_argument("--revision", default=None)
    parser.add_argument("--dummy", action="store_true", help="random weights of the model's shape")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    main(parser.parse_args())
