"""Whole runs over everything that may be wrong with an input: one reject row with a reason, and the rest is built.

What the readers of media and of tables do with each kind of file is proved beside them (test_video_probe,
test_video_decode, sources/); here it is that a run over all of them at once ends well, and what it leaves can be read.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.build import Built, build

Command = Callable[..., subprocess.CompletedProcess[str]]
Encode = Callable[..., Path]
Moving = Callable[..., Iterable[np.ndarray]]
Published = Callable[[Path], dict[str, str]]

HEAD = """\
name: rough
version: "1"
sources:
{sources}
steps:
{steps}
publish: {{caption: caption, shard_size: 100KB}}
decode: {{max_pixels: 20000, max_frames: 200, timeout_s: {timeout_s}}}
run: {{workers: 2, shard_rows: {shard_rows}, max_reject_rate: {rate}}}
"""
STEPS = (
    "{use: luma}",
    "{use: blur}",
    "{use: motion}",
    "{use: keyframes, interval_s: 0.5, below: 0.93, embed: {use: layout}}",
    "{use: signals}",
)


class Quiet:
    """A run's progress, shown to nobody."""

    def stage(self, name: str, *, total: int) -> Quiet:
        return self

    def advance(self, *, kept: int = 0, rejected: Mapping[str, int] | None = None, cached: int = 0) -> None:
        pass

    def finish(self) -> None:
        pass


def write_recipe(
    path: Path,
    *sources: str,
    steps: Iterable[str] = STEPS,
    rate: float = 1,
    timeout_s: float = 60,
    shard_rows: int = 4,
) -> Path:
    lists = {"sources": sources, "steps": steps}
    texts = {name: "\n".join(f"  - {line}" for line in lines) for name, lines in lists.items()}
    path.write_text(HEAD.format(**texts, rate=rate, timeout_s=timeout_s, shard_rows=shard_rows))
    return path


def folder_source(folder: Path) -> str:
    return f'{{use: folder, path: "{folder}", license: cc0-1.0}}'


def run(recipe: Path, out: Path, *, retry: tuple[str, ...] = ()) -> Built:
    return build(recipe, out=out, retry=retry, progress=Quiet())


def rejects(out: Path) -> dict[str, tuple[str, str, str]]:
    rows = pq.read_table(out / "rejects.parquet").to_pylist()
    return {row["source_id"]: (row["step"], row["reason"], row["detail"]) for row in rows}


def kept(out: Path) -> dict[str, dict[str, Any]]:
    return {row["source_id"]: row for row in pq.read_table(out / "metadata").to_pylist()}


def numbered(folder: Path, count: int, encode: Encode, moving: Moving) -> Path:
    for seed in range(count):
        encode(folder / f"clip {seed}.mp4", moving(20, size=(64, 96), seed=seed, dx=1 + seed / 3))
    return folder


# ---- one folder and one table of everything


TABLE = [
    "file:good.mp4",
    "concat:good.mp4|good.mp4",
    "http://169.254.169.254/latest/meta-data",
    "../../etc/passwd",
    "nowhere.mp4",
]
NAMES = [
    "spaces in it.mp4",
    "it's \"quoted\".mp4",
    "dots.v1.final.mp4",
    "emoji \N{CLAPPER BOARD}.mp4",
    "new\nline.mp4",
    "-i.mp4",
    "%d.mp4",
    "concat:a|b.mp4",
    "$(touch x).mp4",
    "UPPER.MP4",
    "upper.mp4",
    "one/same.mp4",
    "two/same.mp4",
    os.fsdecode(b"caf\xe9.mp4"),
]
KINDS: dict[str, dict[str, Any]] = {
    "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
    "av1.mkv": {"codec": "libsvtav1", "options": {"preset": "12", "svtav1-params": "lp=1"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "ten bits.mp4": {"pix_fmt": "yuv420p10le"},
    "odd.mp4": {"pix_fmt": "yuv444p"},
    "varying.mkv": {"times": [index / 10 + (index % 3) / 40 for index in range(20)]},
    "late.mp4": {"times": [3.7 + index / 10 for index in range(20)]},
    "slow.mp4": {"times": [10.0 * index for index in range(5)]},
}


@dataclass(frozen=True)
class Zoo:
    folder: Path
    out: Path
    stdout: str


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory, encode: Encode, moving: Moving) -> Zoo:
    place = tmp_path_factory.mktemp("zoo")
    folder = place / "files"
    clip = encode(folder / "good.mp4", moving(30, size=(64, 96)), audio=True)
    for seed, name in enumerate(NAMES, 1):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        shutil.move(encode(place / "made.mp4", moving(20, size=(64, 96), seed=seed)), target)
    for name, options in KINDS.items():
        size = (63, 95) if name == "odd.mp4" else (64, 96)
        frames = len(options.get("times", range(20)))
        if options.get("codec") is None or _has_encoder(options["codec"]):
            encode(folder / name, moving(frames, size=size, seed=len(name)), **options)
    turned(clip, folder / "turned.mp4")
    encode(folder / "large.mp4", moving(3, size=(160, 160)))
    encode(folder / "long.mp4", moving(220, size=(16, 16), dx=0))
    bad_files(folder, clip.read_bytes())
    (place / "table.csv").write_text("path\n" + "\n".join(TABLE) + "\n")
    recipe = write_recipe(
        place / "rough.yaml",
        folder_source(folder),
        f'{{use: table, path: "{place}/table.csv", root: "{folder}", license: cc0-1.0}}',
    )
    code = "from shotscribe.builder.cli import main; main()"
    command = [sys.executable, "-c", code, str(recipe), "--out", str(place / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return Zoo(folder, place / "out", done.stdout)


def _has_encoder(name: str) -> bool:
    return name in av.codecs_available


def turned(clip: Path, target: Path) -> None:
    with av.open(str(clip)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux(packet)


def bad_files(folder: Path, clip: bytes) -> None:
    noise = np.random.default_rng(7)
    contents = {
        "bad/empty": b"",
        "bad/text": b"not a video\n" * 50,
        "bad/no index": clip[: clip.rindex(b"moov") - 4],
        "bad/cut off": clip[:2000],
        "bad/noise": noise.bytes(20_000),
        "bad/playlist": f"#EXTM3U\n#EXTINF:1,\n{folder}/good.mp4\n#EXT-X-ENDLIST\n".encode(),
        "bad/script": f"ffconcat version 1.0\nfile '{folder}/good.mp4'\n".encode(),
    }
    for seed in range(25):
        damaged = bytearray(clip)
        for at in noise.integers(0, len(clip), 4 * 2 ** (seed % 7)):
            damaged[at] = noise.integers(256)
        contents[f"fuzzed/{seed}"] = bytes(damaged)
    for name, content in contents.items():
        path = folder / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    with av.open(str(folder / "bad" / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    os.mkfifo(folder / "bad" / "fifo.mp4")
    (folder / "bad" / "device.mp4").symlink_to("/dev/zero")
    (folder / "bad" / "folder.mp4").mkdir()


def test_each_file_is_there_once_kept_or_rejected(zoo: Zoo) -> None:
    files = [path for path in zoo.folder.rglob("*") if not path.is_dir()]
    rows = pq.read_table(zoo.out / "metadata").to_pylist() + pq.read_table(zoo.out / "rejects.parquet").to_pylist()
    assert len(rows) == len(files) + len(TABLE)
    assert len({row["clip_id"] for row in rows}) == len(rows)
    assert all(re.fullmatch(r"[a-z0-9_-]+", row["clip_id"]) for row in rows)


def test_bad_files_and_their_reasons(zoo: Zoo) -> None:
    found = rejects(zoo.out)
    assert {name: why[:2] for name, why in found.items() if name.startswith(("bad/", "line", "l", "nowhere"))} == {
        "bad/empty.mp4": ("probe", "unreadable"),
        "bad/text.mp4": ("probe", "unreadable"),
        "bad/no index.mp4": ("probe", "unreadable"),
        "bad/cut off.mp4": ("probe", "unreadable"),
        "bad/noise.mp4": ("probe", "unreadable"),
        "bad/playlist.mp4": ("probe", "refused"),
        "bad/script.mp4": ("probe", "refused"),
        "bad/sound.mp4": ("probe", "not_a_video"),
        "bad/fifo.mp4": ("source", "refused"),
        "bad/device.mp4": ("source", "refused"),
        **{f"line {line}": ("source", "refused") for line in (2, 3, 4, 5)},
        "nowhere.mp4": ("source", "missing_file"),
        "large.mp4": ("probe", "limit"),
        "long.mp4": ("probe", "limit"),
    }
    assert found["large.mp4"][2].startswith("max_pixels: ")
    assert found["long.mp4"][2].startswith("max_frames: ")
    assert not any(str(zoo.folder) in detail or "/etc" in detail for _, _, detail in found.values())
    fuzzed = [name for name in {*found, *kept(zoo.out)} if name.startswith("fuzzed/")]
    assert len(fuzzed) == 25
    assert any(name in found for name in fuzzed)


def test_odd_kinds_are_handled(zoo: Zoo) -> None:
    rows = kept(zoo.out)
    for name, options in KINDS.items():
        if options.get("codec") is None or _has_encoder(options["codec"]):
            assert name in rows, (name, rejects(zoo.out).get(name))
    assert (rows["turned.mp4"]["width"], rows["turned.mp4"]["height"]) == (64, 96)
    assert (rows["odd.mp4"]["width"], rows["odd.mp4"]["height"]) == (95, 63)
    assert rows["slow.mp4"]["fps"] == pytest.approx(0.1)
    assert (rows["late.mp4"]["start"], rows["late.mp4"]["end"]) == (0.0, pytest.approx(2.0, abs=0.1))


def test_odd_names_are_told_apart_and_nothing_is_run(zoo: Zoo) -> None:
    rows = kept(zoo.out)
    named = [name if name.isprintable() or "\n" in name else "caf\\xe9.mp4" for name in NAMES]
    assert set(named) <= set(rows)
    assert not any("x" == path.name for path in zoo.folder.rglob("*"))


def decoded(mp4: bytes) -> tuple[int, int]:
    """Frames that can be decoded, and packets that cannot."""
    frames = damaged = 0
    with av.open(io.BytesIO(mp4)) as container:
        for packet in container.demux(video=0):
            try:
                frames += len(packet.decode())
            except av.FFmpegError:
                damaged += 1
    return frames, damaged


def test_readers_group_and_decode_every_sample(zoo: Zoo) -> None:
    import datasets
    import webdataset

    rows = {row["clip_id"]: row for row in kept(zoo.out).values()}
    shards = sorted(str(path) for path in (zoo.out / "data").glob("*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert sorted(sample["__key__"] for sample in samples) == sorted(rows)
    for sample in samples:
        assert {name for name in sample if not name.startswith("__")} == {"mp4", "txt", "json"}
        row = rows[sample["__key__"]]
        assert json.loads(sample["json"])["source_id"] == row["source_id"]
        frames, damaged = decoded(sample["mp4"])
        whole = not damaged and frames >= 0.9 * row["duration"] * row["fps"]
        assert whole or (row["source_id"].startswith("fuzzed/") and frames), row["source_id"]
    streamed = datasets.load_dataset(str(zoo.out), split="train", streaming=True)
    assert [row["__key__"] for row in streamed] == [sample["__key__"] for sample in samples]


def test_panda_cells_that_cannot_be(tmp_path: Path, encode: Encode, moving: Moving, published: Published) -> None:
    """Each bad cell costs its clips, names its line, and leaves the others."""
    encode(tmp_path / "videos" / "good.mp4", moving(60, size=(64, 96)))
    cells = [
        ("good", "[['0:00:00.0', '0:00:01.0'], ['0:00:01.0', '0:00:02.0']]", "['one', 'two']"),
        ("good", "__import__('os').system('touch x')", "['x']"),
        ("good", "[['0:00:00.2', '0:00:01.2'], ['0:00:00.4', '0:00:01.4']]", "['only one']"),
        ("good", "[['0:00:01.5', '0:00:00.5']]", "['backwards']"),
        ("good", "[['0:01:00.0', '0:01:05.0']]", "['past the end']"),
        ("gone", "[['0:00:00.0', '0:00:01.0']]", "['no file']"),
    ]
    with (tmp_path / "panda.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["videoID", "url", "timestamp", "caption", "matching_score"])
        writer.writerows([video, "https://example.com", times, texts, "[0.5, 0.5]"] for video, times, texts in cells)
        file.write('good,"[[')
    source = f'{{use: panda70m, path: "{tmp_path}/panda.csv", videos: "{tmp_path}/videos"}}'
    recipe = write_recipe(tmp_path / "rough.yaml", source)
    recipe.write_text(recipe.read_text().replace("publish: {", "publish: {media: reference, "))
    run(recipe, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "metadata").to_pylist()
    assert [row["source_caption"] for row in rows] == ["one", "two"]
    found = [
        (row["step"], row["reason"], re.findall(r"line \d+", row["source_id"] + row["detail"]))
        for row in pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
    ]
    print(pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist())
    assert found == []
