"""How fast whole files are packed and streamed back.

    python benchmarks/bench_packing.py [folder]

Prints two ratios, medians over rounds in which both sides take turns; targets 0.6 and 0.9:
- packing the files into shards against copying them (`shutil.copyfile` and fsync each), both durable when they end;
- reading our shards with `webdataset.WebDataset` against reading the same clips packed by `webdataset.ShardWriter`.

Without a folder: 240 files of 0.5 to 3 MB. Nothing is decoded; files that hold what may not be published, or sound
longer than the picture, are written anew, which costs about ten times as much as copying.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import webdataset
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import media_of, media_stat
from shotscribe.builder.media.cut import Form
from shotscribe.builder.media.video import probe
from shotscribe.builder.output.entries import Sample
from shotscribe.builder.output.shards import WantedTar, pack
from shotscribe.builder.output.tar_store import TarStore
from shotscribe.builder.output.tars import tar_digest
from shotscribe.builder.run.executors.local import LocalExecutor

PACKING_ROUNDS = 7
STREAMING_ROUNDS = 31
CLIPS_A_SHARD = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="files to pack instead of made ones")
    folder: Path | None = parser.parse_args().folder
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        work = Path(scratch)
        media = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else made(work / "media")
        samples = [sample(path, at) for at, path in enumerate(media)]
        total = sum(path.stat().st_size for path in media)
        print(f"{len(media)} files, {total / 1e6:.0f} MB")
        copying, packing = in_turns(
            lambda: copy(media, work / "copy"), lambda: pack_all(samples, work / "out"), rounds=PACKING_ROUNDS
        )
        report("packing / copying, both with fsync", packing, copying, total / 1e6, "MB/s")
        pack_all(samples, work / "out")
        ours = [str(path) for path in sorted((work / "out" / "data").iterdir())]
        theirs = write_plainly(samples, work / "plain")
        bare, streaming = in_turns(
            lambda: stream(theirs, len(media)), lambda: stream(ours, len(media)), rounds=STREAMING_ROUNDS
        )
        report("streaming our shards / webdataset's own", streaming, bare, len(media), "samples/s")


def made(folder: Path) -> list[Path]:
    """Videos of noise with sound, each 30 times."""
    folder.mkdir()
    paths = [folder / f"{at:04}.mp4" for at in range(240)]
    for at in range(8):
        encode(paths[at], frames=25 * (2 + at), seed=at)
    for at in range(8, 240):
        shutil.copyfile(paths[at % 8], paths[at])
    return paths


def encode(path: Path, *, frames: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (12, 180, 320, 3), np.uint8)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "30"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        for at in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(noise[at % 12], format="rgb24")))
        container.mux(video.encode(None))
        for at in range(0, frames * 1920 - 2048, 1024):
            block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            block.sample_rate, block.pts = 48000, at
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def sample(path: Path, at: int) -> Sample:
    record = b'{"caption":"a clip","end":3.0,"start":0.0}'
    form = Form.of(probe(str(path), start=None, end=None, limits=Decode()))
    return Sample(f"clip-{at:05}", at, media_of(path), str(at), media_stat(path), form, "a clip", record)


def copy(media: list[Path], folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    start = time.perf_counter()
    for at, path in enumerate(media):
        target = folder / f"{at:05}.mp4"
        shutil.copyfile(path, target)
        handle = os.open(target, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return time.perf_counter() - start


def pack_all(samples: list[Sample], out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    os.sync()
    with LocalExecutor(1) as executor:
        executor.submit(media_stat, __file__, timeout_s=60).result()  # in a run, the worker is there already
        start = time.perf_counter()
        store = TarStore.open(out, out / ".work")
        made, rejected = pack(
            [wanted(samples[at : at + CLIPS_A_SHARD], at) for at in range(0, len(samples), CLIPS_A_SHARD)],
            store=store,
            embed=True,
            executor=executor,
            limits=Decode(),
            on_done=lambda _: None,
        )
        store.publish({path: digest for path, digest in made.items() if digest})
        seconds = time.perf_counter() - start
    assert not rejected
    return seconds


def wanted(samples: list[Sample], at: int) -> WantedTar:
    digest = tar_digest(sample.digest for sample in samples)
    return WantedTar(f"data/train-{at:05}.tar", digest, len(samples), lambda: iter(samples))


def write_plainly(samples: list[Sample], folder: Path) -> list[str]:
    folder.mkdir()
    with webdataset.ShardWriter(f"{folder}/%05d.tar", maxcount=CLIPS_A_SHARD, verbose=0, mtime=0) as writer:
        for clip in samples:
            mp4 = Path(clip.media).read_bytes()
            writer.write({"__key__": clip.clip_id, "mp4": mp4, "txt": clip.text, "json": clip.record})
    return [str(path) for path in sorted(folder.iterdir())]


def stream(urls: list[str], samples: int) -> float:
    start = time.perf_counter()
    read = sum(len(row["mp4"]) > 0 for row in webdataset.WebDataset(urls, shardshuffle=False))
    assert read == samples
    return time.perf_counter() - start


def in_turns(
    first: Callable[[], float], second: Callable[[], float], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of both, who begins alternates; a round before them warms the page cache and does not count."""
    pairs = []
    for at in range(rounds + 1):
        if at % 2:
            pairs.append((first(), second()))
        else:
            pairs.append((second(), first())[::-1])
    return [pair[0] for pair in pairs[1:]], [pair[1] for pair in pairs[1:]]


def report(what: str, ours: list[float], theirs: list[float], amount: float, unit: str) -> None:
    mine, other = amount / statistics.median(ours), amount / statistics.median(theirs)
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(f"{what}: {ratio:.2f}x ({mine:.0f} against {other:.0f} {unit})")


if __name__ == "__main__":
    main()
