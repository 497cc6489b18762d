"""What CLIP keyframes lose against the bare model: pictures to vectors, over the model alone on tensors that are ready.

    python benchmarks/bench_embed.py [--small] [--frames N] [--dtype bfloat16]

The model has the shape of openai/clip-vit-large-patch14-336 and random weights (`--small`: one that a CPU runs in
seconds); pictures are of 640x360 in memory, as decoding leaves them, 16 a clip, and 64 clips ask at once. On
a GPU the vectors that it makes are held against those of the CPU, too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import numpy as np
from shotscribe.builder.contract.engine import Engine, Vectors
from shotscribe.builder.contract.frames import Images
from shotscribe.captioners.engines.clip import ClipModel

RUNS = 3
BATCH = 64
A_CLIP, CLIPS = 16, 64
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}


async def main(*, small: bool, count: int, dtype: Literal["float32", "bfloat16"]) -> None:
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        config = transformers.CLIPVisionConfig(
            image_size=336, patch_size=14, projection_dim=768, **(SMALL if small else LARGE)
        )
        model = transformers.CLIPVisionModelWithProjection(config).eval()
        model.save_pretrained(folder)
        transformers.CLIPImageProcessor(size={"shortest_edge": 336}, crop_size=336).save_pretrained(folder)
        engine = await ClipModel(model=folder, batch=BATCH, dtype=dtype).start()
        images = pictures(count)
        ours = await speed(lambda: embed(engine, images), count)
        where = {"device": device, "dtype": getattr(torch, dtype)}
        pixels = torch.zeros(BATCH, 3, 336, 336, **where)
        model = model.to(**where)

        async def bare() -> None:
            with torch.inference_mode():
                for _ in range(0, count, BATCH):
                    model(pixel_values=pixels)
                if device == "cuda":
                    torch.cuda.synchronize()

        floor = await speed(bare, count)
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        print(f"{name}, {dtype}: {ours:.0f} frames a second, the bare model {floor:.0f}: ratio {ours / floor:.3f}")
        if device == "cuda":
            there, here = unit(await embed(engine, images[:A_CLIP])), unit(on_cpu(Path(folder)))
            print(f"largest difference of a cosine from the CPU's: {np.abs(there @ there.T - here @ here.T).max():.2e}")


async def embed(engine: Engine, images: list[Images]) -> Vectors:
    """The vectors of all pictures, by clips that ask at the same time."""
    at_once = asyncio.Semaphore(CLIPS)

    async def clip(start: int) -> Vectors:
        async with at_once:
            return await engine.embed_images(images[start : start + A_CLIP], layer="cls")

    return np.concatenate(await asyncio.gather(*(clip(start) for start in range(0, len(images), A_CLIP))))


def pictures(count: int) -> list[Images]:
    """Smooth colour fields, each another."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 9, 16, 3), np.uint8)
    return [np.kron(one, np.ones((40, 40, 1), np.uint8)) for one in coarse]


def unit(vectors: Vectors) -> Vectors:
    made: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


async def speed(work: Callable[[], Awaitable[object]], count: int) -> float:
    """Frames a second, the median of the runs after a first one that warms."""
    await work()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - started)
    return count / statistics.median(seconds)


def on_cpu(folder: Path) -> Vectors:
    """The vectors of one clip as a process without a GPU makes them."""
    program = (
        "import asyncio, sys, numpy as np\n"
        "from shotscribe.benchmarks.bench_embed import A_CLIP, embed, pictures\n"
        "from shotscribe.captioners.engines.clip import ClipModel\n"
        "async def main():\n"
        "    engine = await ClipModel(model=sys.argv[1]).start()\n"
        "    np.save(sys.argv[2], await embed(engine, pictures(A_CLIP)))\n"
        "asyncio.run(main())\n"
    )
    target = folder / "cpu.npy"
    subprocess.run(
        [sys.executable, "-c", program, str(folder), str(target)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=True,
    )
    return np.asarray(np.load(target))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()
    asyncio.run(main(small=options.small, count=options.frames, dtype=options.dtype))
