"""Whether what is published of real files is what FFmpeg itself reads in them, file by file.

    python benchmarks/accept.py --clips DIR [DIR ...]

Builds a dataset of every file below the folders, whole and in two parts, and reads what was published with the FFmpeg
of imageio-ffmpeg (`pip install imageio-ffmpeg`): another build than the one inside PyAV. A line for each clip:

    right      the same frames at the same times, upright, in the same shape; duration, rate and sound fit the row
    rejected   by name, with the reason that stands in rejects.parquet
    told       not as FFmpeg shows it, and a column of its row says so
    WRONG      anything else, with what differs; then the exit code is 1
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from shotscribe.builder.build import build
from shotscribe.builder.progress import Progress

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".flv", ".wmv", ".mpg", ".3gp", ".ogv", ".gif"}
SIDE = 96  # pixels: frames are compared at this size
SAME = 12.0  # mean difference of two frames, of 255: an odd row or column that is left off moves sharp edges by a pixel
SHAPE = 0.02  # of an aspect ratio: an odd row or column is left off
TIME_S = 0.002
BLOCK_S = 0.13  # an AAC block at 8 kHz: what a decoder gives beyond the last sample
RECIPE = """\
name: accept
version: "1"
sources: [{{use: table, path: "{table}", root: "{root}"}}]
steps: [{{use: duration, min_s: 0.01}}]
publish: {{caption: null}}
run: {{max_reject_rate: 1.0}}
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What FFmpeg reads of a file. `images`: small RGB; `shape`: width / height as shown; `sound_s`: 0 without."""

    times: npt.NDArray[np.float64]
    images: npt.NDArray[np.uint8]
    shape: float
    duration: float
    sound_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="+", type=Path, required=True, metavar="DIR", help="folders of video files")
    folders = [folder.absolute() for folder in parser.parse_args().clips]
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    ffmpeg()
    with tempfile.TemporaryDirectory() as scratch:
        counts = check(files, Path(scratch))
    print(", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items())))
    sys.exit(1 if counts["WRONG"] else 0)


def check(files: Sequence[Path], scratch: Path) -> Counter[str]:
    asked: list[dict[str, Any]] = []
    for path in files:
        times = reading(path).times
        seconds = float(times[-1]) if len(times) else 0.0
        parts = [(0.21 * seconds, 0.58 * seconds), (max(0.0, seconds - 1.37), seconds)] if seconds else []
        asked += [{"path": str(path), "start": None, "end": None}]
        asked += [{"path": str(path), "start": start, "end": end} for start, end in parts]
    table = scratch / "clips.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in asked))
    recipe = scratch / "accept.yaml"
    recipe.write_text(RECIPE.format(table=table, root="/"))
    with Progress() as progress:
        built = build(recipe, out=scratch / "out", progress=progress)
    rejects = pq.read_table(built.out / "rejects.parquet").to_pylist()
    counts: Counter[str] = Counter()
    verdicts = [(f"{row['source_id']}", "rejected", f"{row['reason']}: {row['detail']}") for row in rejects]
    for tar_path in sorted((built.out / "data").glob("*.tar")):
        with tarfile.open(tar_path) as tar:
            members = {member.name: member for member in tar}
            for name in [name for name in members if name.endswith(".mp4")]:
                tar.extract(members[name], scratch, filter="data")
                row = json.load(tar.extractfile(members[name.removesuffix("mp4") + "json"]))  # type: ignore[arg-type]
                verdicts.append((label(row), *verdict(row, scratch / name)))
                (scratch / name).unlink()
    for what, said, why in sorted(verdicts):
        counts[said] += 1
        print(f"{said:9} {what}{': ' if why else ''}{why}")
    return counts


def label(row: dict[str, Any]) -> str:
    part = "" if row["whole"] else f" [{row['start']:.3f} to {row['end']:.3f}]"
    return f"{row['source_id']}{part}"


def verdict(row: dict[str, Any], published: Path) -> tuple[str, str]:
    """One of right, told, WRONG; and what there is to say."""
    source, ours = reading(Path("/") / row["source_id"]), read(published)
    begin, end = row["start"] - TIME_S, row["end"] - TIME_S
    inside = np.flatnonzero((source.times >= begin) & (source.times < end))
    if not len(inside) or source.times[inside[0]] > row["start"] + TIME_S:  # a frame that stands at the start
        before = np.flatnonzero(source.times < begin)
        inside = np.concatenate([before[-1:], inside])
    wrong, told = _against_source(row, ours, source, inside), _told(row)
    if row["whole"] and not wrong and len(ours.times) == len(source.times) < row["frames"]:
        return "right", f"{len(ours.times)} of its {row['frames']} frames can be decoded, in the file as in the copy"
    wrong = [*_against_row(row, ours), *wrong]
    if not wrong:
        return "right", told
    return ("told", f"{told} ({'; '.join(wrong)})") if told else ("WRONG", "; ".join(wrong))


def _against_row(row: dict[str, Any], ours: Reading) -> list[str]:
    wrong = []
    if len(ours.times) != row["frames"]:
        wrong.append(f"{len(ours.times)} frames, the row says {row['frames']}")
    if round(row["duration"] * row["fps"]) != row["frames"]:
        wrong.append("duration * fps is not frames")
    if abs(ours.shape / (row["width"] / row["height"]) - 1) > SHAPE:
        wrong.append(f"shape {ours.shape:.3f}, the row says {row['width']} x {row['height']}")
    if abs(ours.duration - row["duration"]) > 0.03:
        wrong.append(f"lasts {ours.duration:.3f} s, the row says {row['duration']:.3f}")
    if (ours.sound_s > 0) != row["has_audio"]:
        wrong.append(f"{ours.sound_s:.2f} s of sound, the row says {row['has_audio']}")
    if ours.sound_s > row["duration"] + BLOCK_S:
        wrong.append(f"sound of {ours.sound_s:.2f} s under a picture of {row['duration']:.2f} s")
    if not row["variable_frame_rate"] and len(ours.times) == row["frames"]:
        off = np.abs(ours.times - np.arange(len(ours.times)) * row["fps_den"] / row["fps_num"]).max()
        if off > 1e-5:
            wrong.append(f"a frame is {off * 1000:.2f} ms off its rate")
    return wrong


def _against_source(row: dict[str, Any], ours: Reading, source: Reading, inside: npt.NDArray[np.intp]) -> list[str]:
    wrong = []
    if abs(ours.shape / source.shape - 1) > SHAPE:
        wrong.append(f"shape {ours.shape:.3f}, in the source {source.shape:.3f}")
    if row["whole"] and source.sound_s and not ours.sound_s:
        wrong.append("its sound is gone")
    if len(inside) != len(ours.times):
        return [*wrong, f"{len(ours.times)} frames, in the source {len(inside)}"]
    starts = np.maximum(source.times[inside] - row["start"], 0)
    if (late := float(np.abs(ours.times - starts).max())) > TIME_S:
        wrong.append(f"a frame is {late * 1000:.1f} ms off its time")
    apart = np.abs(ours.images.astype(np.int16) - source.images[inside]).mean(axis=(1, 2, 3))
    if apart.max() > SAME:
        wrong.append(f"frame {int(apart.argmax())} differs by {apart.max():.1f} of 255")
    return wrong


def _told(row: dict[str, Any]) -> str:
    """Columns in which a row says what a reader must know of the file."""
    said = [name for name in ("interlaced", "mirrored", "variable_frame_rate") if row.get(name)]
    return ", ".join(said)


@cache
def reading(path: Path) -> Reading:
    """Of a source, which several clips are compared with."""
    return read(path)


def read(path: Path) -> Reading:
    frames = run("-i", path, "-an", "-vf", f"scale={SIDE}:{SIDE}:flags=area,format=rgb24,showinfo", *RAW)
    times = np.array([float(time) for time in re.findall(rb"pts_time:\s*([-0-9.e+]+)", frames.stderr)])
    images = np.frombuffer(frames.stdout, np.uint8)
    images = images[: len(images) // (3 * SIDE * SIDE) * (3 * SIDE * SIDE)].reshape(-1, SIDE, SIDE, 3)
    first = run(
        "-i",
        path,
        "-an",
        "-vf",
        "scale=trunc(iw*sar+0.5):ih,setsar=1",
        "-frames:v",
        1,
        "-f",
        "image2pipe",
        "-c:v",
        "ppm",
        "-",
    )
    size = re.match(rb"P6\s+(\d+)\s+(\d+)", first.stdout)
    sound = run("-i", path, "-vn", "-ac", 1, "-ar", 8000, "-f", "s16le", "-")
    return Reading(
        times - times[0] if len(times) else times,
        images[: len(times)],
        int(size[1]) / int(size[2]) if size else 0.0,
        duration_of(path),
        len(sound.stdout) / 16000,
    )


def duration_of(path: Path) -> float:
    said = re.search(rb"Duration: (\d+):(\d+):([\d.]+)", run("-i", path).stderr)
    return int(said[1]) * 3600 + int(said[2]) * 60 + float(said[3]) if said else 0.0


RAW = ("-fps_mode", "passthrough", "-f", "rawvideo", "-")


def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [ffmpeg(), "-hide_banner", "-nostdin", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=600)


@cache
def ffmpeg() -> str:
    try:
        import imageio_ffmpeg
    except ImportError:
        sys.exit("accept.py compares with another FFmpeg than PyAV's: pip install imageio-ffmpeg, and run it again")
    return str(imageio_ffmpeg.get_ffmpeg_exe())


if __name__ == "__main__":
    main()
