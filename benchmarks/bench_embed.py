"""What CLIP keyframes lose against the bare model: frames to vectors, over the model alone on tensors that are ready.

    python benchmarks/bench_embed.py [--small] [--frames N]

The model has the shape of openai/clip-vit-large-patch14-336 and random weights (`--small`: one that a CPU runs in
seconds); frames are pictures of 640x360 in memory, as decoding leaves them. On a GPU the vectors that it
makes are held against those of the CPU, too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from shotscribe.builder.contract.frames import Frames
from shotscribe.filters.embed.image_embed import ClipEmbed

RUNS = 3
BATCH = 32
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}


def main(*, small: bool, count: int) -> None:
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
        embed = ClipEmbed(use="clip", model=folder, batch=BATCH)
        frames = pictures(count)
        ours = speed(lambda: embed.vectors(frames), count)
        pixels = torch.zeros(BATCH, 3, 336, 336, device=device)
        model = model.to(device)

        def bare() -> None:
            with torch.inference_mode():
                for _ in range(0, count, BATCH):
                    model(pixel_values=pixels)
                if device == "cuda":
                    torch.cuda.synchronize()

        floor = speed(bare, count)
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        print(f"{name}: {ours:.0f} frames a second, the bare model {floor:.0f}: ratio {ours / floor:.3f}")
        if device == "cuda":
            few = pictures(16)
            there = embed.vectors(few)
            here = on_cpu(Path(folder), few)
            print(f"largest difference of a cosine from the CPU's: {np.abs(there @ there.T - here @ here.T).max():.2e}")


def pictures(count: int) -> Frames:
    """Smooth colour fields, each another."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 9, 16, 3), np.uint8)
    return Frames(np.arange(count) / 2.0, [np.kron(one, np.ones((40, 40, 1), np.uint8)) for one in coarse])


def speed(work: Callable[[], object], count: int) -> float:
    """Frames a second, the median of the runs after a first one that loads and warms."""
    work()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return count / statistics.median(seconds)


def on_cpu(folder: Path, frames: Frames) -> np.ndarray:
    """The vectors as a process without a GPU makes them."""
    program = (
        "import sys, numpy as np\n"
        "from shotscribe.benchmarks.bench_embed import pictures\n"
        "from shotscribe.filters.embed.image_embed import ClipEmbed\n"
        "embed = ClipEmbed(use='clip', model=sys.argv[1])\n"
        "np.save(sys.argv[2], embed.vectors(pictures(int(sys.argv[3]))))\n"
    )
    target = folder / "cpu.npy"
    subprocess.run(
        [sys.executable, "-c", program, str(folder), str(target), str(len(frames.images))],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=True,
    )
    return np.asarray(np.load(target))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--frames", type=int, default=512)
    options = parser.parse_args()
    main(small=options.small, count=options.frames)
