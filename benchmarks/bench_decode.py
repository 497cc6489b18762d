"""CPU time of decoding a clip's shared frames (2 a second, 320 px) over a bare sequential PyAV decode.

    python benchmarks/bench_decode.py FOLDER [--repeats 5]

Side by side, medians. `probe` is paid once a clip, at ingest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
from shotscribe.builder.contract.frames import SIGNAL_FRAMES
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.container import video_stream
from shotscribe.builder.media.video import decode, probe

LIMITS = Decode()


def bare(path: str) -> None:
    """What there is to beat: every frame of the same stream decoded by one thread, nothing done with them."""
    with av.open(path) as container:
        stream = video_stream(container)
        stream.codec_context.thread_count = 1
        for _ in container.decode(stream):
            pass


def cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(path: str, *, repeats: int) -> tuple[float, float, float]:
    """Median CPU seconds of a bare decode, of `decode` and of `probe`, taken in turns."""
    end = probe(path, start=None, end=None, limits=LIMITS)["end"]
    works: list[Callable[[], object]] = [
        lambda: bare(path),
        lambda: decode(path, start=0.0, end=end, samplings=[SIGNAL_FRAMES], limits=LIMITS),
        lambda: probe(path, start=None, end=None, limits=LIMITS),
    ]
    rounds = [[cpu_s(work) for work in works] for _ in range(repeats)]
    alone, ours, ingest = (statistics.median(column) for column in zip(*rounds, strict=True))
    return alone, ours, ingest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'file':28} {'bare s':>8} {'decode s':>9} {'ratio':>6} {'probe s':>8}")
    ratios = []
    for file in sorted(arguments.folder.iterdir()):
        alone, ours, ingest = measure(str(file), repeats=arguments.repeats)
        ratios.append(ours / alone)
        print(f"{file.name:28} {alone:8.3f} {ours:9.3f} {ratios[-1]:6.2f} {ingest:8.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
