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
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.build import Built, build
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.recipe import discovery

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
run: {{workers: 2, piece_rows: {piece_rows}, max_reject_rate: {rate}}}
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

    def stage(self, name: str, *, total: int | None) -> Quiet:
        return self

    def say(self, line: str) -> None:
        pass

    def expect(self, more: int) -> None:
        pass

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
    piece_rows: int = 4,
) -> Path:
    lists = {"sources": sources, "steps": steps}
    texts = {name: "\n".join(f"  - {line}" for line in lines) for name, lines in lists.items()}
    path.write_text(HEAD.format(**texts, rate=rate, timeout_s=timeout_s, piece_rows=piece_rows))
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
    'it\'s "quoted".mp4',
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
    slow = rows["slow.mp4"]
    assert slow["fps"] == pytest.approx(slow["frames"] / slow["duration"], rel=1e-4)
    assert (rows["late.mp4"]["start"], rows["late.mp4"]["end"]) == (0.0, pytest.approx(2.0, abs=0.1))


def test_odd_names_are_told_apart_and_nothing_is_run(zoo: Zoo) -> None:
    rows = kept(zoo.out)
    named = [name.replace("\n", " ") if name.isprintable() or "\n" in name else "caf\\xe9.mp4" for name in NAMES]
    assert set(named) <= set(rows)
    assert not any(path.name == "x" for path in zoo.folder.rglob("*"))


def decoded(mp4: bytes) -> tuple[int, int]:
    """Frames that can be decoded, and packets that cannot."""
    frames = damaged = 0
    with av.open(io.BytesIO(mp4), mode="r", metadata_errors="ignore") as container:
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
        for video, times, texts in cells:
            scores = "[0.5, 0.5]" if times.count("[") > 2 else "[0.5]"
            writer.writerow([video, "https://example.com", times, texts, scores])
        file.write('good,"[[')
    source = f'{{use: panda70m, path: "{tmp_path}/panda.csv", videos: "{tmp_path}/videos"}}'
    recipe = write_recipe(tmp_path / "rough.yaml", source)
    recipe.write_text(recipe.read_text().replace("publish: {", "publish: {media: reference, "))
    run(recipe, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "metadata").to_pylist()
    assert [row["source_caption"] for row in rows] == ["one", "two"]
    found = [
        (row["step"], row["reason"], *re.findall(r"line \d+", f"{row['source_id']} {row['detail']}"))
        for row in pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
    ]
    assert sorted(found) == [
        ("probe", "out_of_range"),
        ("source", "bad_row", "line 3"),
        ("source", "bad_row", "line 4"),
        ("source", "bad_row", "line 4"),
        ("source", "bad_row", "line 8"),
        ("source", "missing_file", "line 7"),
        ("source", "out_of_range", "line 5"),
    ]


# ---- steps that hang, die, or take the file away

HAZARD = """
import os, signal, time
from pathlib import Path
from typing import Literal

from shotscribe.builder.contract.step import ClipStep


class Hazard(ClipStep):
    use: Literal["%s"] = "%s"

    def reads(self):
        return {"source_id": "string"}

    def adds(self):
        return {"checked": "float64"}

    def make(self, clip, engine):
        path = Path(clip.path())
        with path.with_suffix(".calls").open("a") as calls:
            calls.write("x")
        if path.with_suffix(".hangs").exists():
            time.sleep(600)
        if path.with_suffix(".dies").exists():
            os.kill(os.getpid(), signal.SIGSEGV)
        if path.with_suffix(".vanishes").exists():
            path.unlink()
        return {"checked": 1.0}
"""


@pytest.fixture
def hazard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A step of a module that the workers find on sys.path; what it does to a clip is said by files beside it."""
    name = f"hazard_{abs(hash(tmp_path))}"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{name}.py").write_text(HAZARD % (name, name))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    modules = discovery._modules
    monkeypatch.setattr(
        discovery,
        "_modules",
        lambda kind: {**modules(kind), **({name: name} if kind == "step" else {})},
    )
    return f"{{use: {name}}}"


def forget_calls(folder: Path) -> None:
    for path in folder.glob("*.calls"):
        path.unlink()


def calls(folder: Path) -> dict[str, int]:
    return {path.stem: len(path.read_text()) for path in sorted(folder.glob("*.calls"))}


def test_steps_that_hang_or_die_cost_their_clip(
    tmp_path: Path, encode: Encode, moving: Moving, hazard: str, published: Published
) -> None:
    folder = numbered(tmp_path / "files", 6, encode, moving)
    (folder / "clip 1.hangs").touch()
    (folder / "clip 3.dies").touch()
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), steps=[*STEPS, hazard], timeout_s=5)
    step = hazard[6:-1]
    run(recipe, tmp_path / "out")
    found = rejects(tmp_path / "out")
    assert {name: why[:2] for name, why in found.items()} == {
        "clip 1.mp4": (step, "timeout"),
        "clip 3.mp4": (step, "worker_died"),
    }
    assert "not done after 5 s" in found["clip 1.mp4"][2]
    assert "SIGSEGV" in found["clip 3.mp4"][2]

    forget_calls(folder)
    (folder / "clip 1.hangs").unlink()
    (folder / "clip 3.dies").unlink()
    run(recipe, tmp_path / "out")
    assert calls(folder) == {}
    run(recipe, tmp_path / "out", retry=("timeout",))
    assert calls(folder) == {"clip 1": 1}
    assert {name: why[1] for name, why in rejects(tmp_path / "out").items()} == {"clip 3.mp4": "worker_died"}
    for out, again in (("out", ("worker_died",)), ("scratch", ())):
        forget_calls(folder)  # the record counts files that are neither videos nor captions
        run(recipe, tmp_path / out, retry=again)
    assert published(tmp_path / "out") == published(tmp_path / "scratch")


def test_media_that_vanish_before_they_are_published(
    tmp_path: Path, encode: Encode, moving: Moving, hazard: str
) -> None:
    folder = numbered(tmp_path / "files", 5, encode, moving)
    (folder / "clip 2.vanishes").touch()
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), steps=[*STEPS, hazard])
    run(recipe, tmp_path / "one")
    assert {name: why[:2] for name, why in rejects(tmp_path / "one").items()} == {
        "clip 2.mp4": ("publish", "missing_file")
    }
    assert len(kept(tmp_path / "one")) == 4

    for seed in range(5):
        (folder / f"clip {seed}.vanishes").touch()
    with pytest.raises(RunError, match=r"publish: 4 of 4 clips failed \(4 missing_file\), nothing is left"):
        run(recipe, tmp_path / "all")
    assert not (tmp_path / "all" / "README.md").exists()
    assert list((tmp_path / "all" / "data").iterdir()) == []
    assert pq.read_table(tmp_path / "all" / ".work" / "rejects.parquet").num_rows == 4


# ---- a recipe or a file that changes between two runs


def test_what_changed_between_runs_shows_as_in_a_run_from_scratch(
    tmp_path: Path, encode: Encode, moving: Moving, published: Published
) -> None:
    """A step inserted, others taken out and put in another order, a dedup added; files replaced, edited and deleted."""
    folder, out = numbered(tmp_path / "files", 5, encode, moving), tmp_path / "out"
    (folder / "bad.mp4").write_bytes(b"x")
    (folder / "clip 1.txt").write_text("what the corpus says")
    luma, blur, motion, keyframes, signals = STEPS
    dedup = "{use: semantic_dedup, column: keyframe_embedding, threshold: 0.99}"
    recipe = tmp_path / "rough.yaml"
    run(write_recipe(recipe, folder_source(folder)), out)
    edits = [
        ["{use: duration, min_s: 0.3}", "{use: luma, min_luma: 0.3}", blur, motion, keyframes, signals],
        [motion, "{use: letterbox}", luma, keyframes, dedup, signals],
    ]
    for number, steps in enumerate(edits):
        run(write_recipe(recipe, folder_source(folder), steps=steps), out)
        run(recipe, tmp_path / f"scratch {number}")
        assert published(out) == published(tmp_path / f"scratch {number}"), steps
    encode(folder / "clip 0.mp4", moving(25, size=(64, 96), seed=9))
    (folder / "clip 1.txt").write_text("and now something else")
    (folder / "clip 4.mp4").unlink()
    run(recipe, out)
    assert kept(out)["clip 1.mp4"]["source_caption"] == "and now something else"
    assert kept(out)["clip 0.mp4"]["duration"] == pytest.approx(25 / 30, abs=0.01)
    run(recipe, tmp_path / "scratch")
    assert published(out) == published(tmp_path / "scratch")


# ---- what is in the output folder, and the disk below it


def test_damaged_state_is_made_anew(tmp_path: Path, encode: Encode, moving: Moving, published: Published) -> None:
    folder, out = numbered(tmp_path / "files", 6, encode, moving), tmp_path / "out"
    dedup = "{use: semantic_dedup, column: keyframe_embedding, threshold: 0.999}"
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), steps=[*STEPS, dedup])
    run(recipe, out)
    before = published(out)
    stored = sorted((out / ".work").rglob("*.arrow"))
    assert any("decisions" in path.name for path in stored)
    for number, path in enumerate(stored):
        content = path.read_bytes()
        damaged = [b"", content[: len(content) // 2], content[:-200] + bytes(150) + content[-50:], b"nonsense"]
        if number % 5 == 4:
            path.unlink()
        else:
            path.write_bytes(damaged[number % 5])
    next((out / "data").glob("*.tar")).unlink()
    run(recipe, out)
    assert published(out) == before


def test_a_part_that_was_deleted_by_hand(tmp_path: Path, encode: Encode, moving: Moving, published: Published) -> None:
    folder, out = numbered(tmp_path / "files", 2, encode, moving), tmp_path / "out"
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), piece_rows=1000)
    for seed in (2, 3):
        run(recipe, out)
        encode(folder / f"clip {seed}.mp4", moving(20, size=(64, 96), seed=seed))
    run(recipe, out)
    for path in (out / ".work" / "values").rglob("*.0000.arrow"):
        path.unlink()
    (out / "build.json").unlink()
    run(recipe, out)
    run(recipe, tmp_path / "scratch")
    assert published(out) == published(tmp_path / "scratch")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of its own, or changes it; skips where only root may."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a disk here: {done.stderr.decode().strip()}")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", place], check=True)


def assert_one_clear_error(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert all(text in errors[0] for text in texts), errors[0]
    assert not re.search("Traceback|Exception ignored|Task", done.stderr), done.stderr


def test_a_full_disk(
    tmp_path: Path,
    encode: Encode,
    moving: Moving,
    published: Published,
    command: Command,
    mounted: Callable[[str], Path],
) -> None:
    """Wherever the space ends, it is one error, and with more space the next run goes on to the same bytes."""
    folder = numbered(tmp_path / "files", 6, encode, moving)
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder))
    out = mounted("size=16k") / "out"
    for size in ("16k", "64k", "112k", "160k", "208k"):
        mounted(f"remount,size={size}")
        assert_one_clear_error(command(recipe, "--out", out), "No space left on device", "free some space")
    mounted("remount,size=50m")
    done = command(recipe, "--out", out)
    assert done.returncode == 0, done.stderr
    run(recipe, tmp_path / "scratch")
    assert published(out) == published(tmp_path / "scratch")


def test_a_limit_on_the_size_of_files(
    tmp_path: Path, encode: Encode, moving: Moving, published: Published, entry: list[str]
) -> None:
    folder = numbered(tmp_path / "files", 6, encode, moving)
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = [*entry, str(recipe), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, timeout=200, check=False)
    assert_one_clear_error(done, "cannot write", "may not grow")
    run(recipe, tmp_path / "out")
    run(recipe, tmp_path / "scratch")
    assert published(tmp_path / "out") == published(tmp_path / "scratch")


def test_a_read_only_output(
    tmp_path: Path, encode: Encode, moving: Moving, command: Command, mounted: Callable[[str], Path]
) -> None:
    folder = numbered(tmp_path / "files", 2, encode, moving)
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), steps=STEPS[:1])
    recipe.write_text(recipe.read_text().replace("caption: caption, ", ""))
    if os.geteuid():
        (tmp_path / "closed").mkdir(mode=0o500)
        assert_one_clear_error(command(recipe, "--out", tmp_path / "closed" / "out"), "no permission", "--out")
    place = mounted("size=1m")
    mounted("remount,ro")
    assert_one_clear_error(command(recipe, "--out", place / "out"), "read-only", "--out")


# ---- large tables of nothing


def test_thousands_of_missing_files(tmp_path: Path, command: Command) -> None:
    (tmp_path / "table.csv").write_text("path\n" + "".join(f"{number}.mp4\n" for number in range(5000)))
    recipe = write_recipe(tmp_path / "rough.yaml", f'{{use: table, path: "{tmp_path}/table.csv", license: cc0-1.0}}')
    done = command(recipe, "--out", tmp_path / "out")
    assert_one_clear_error(done, "5000 by source (missing_file)", "rejects.parquet")
    assert pq.read_table(tmp_path / "out" / ".work" / "rejects.parquet").num_rows == 5000
    assert not (tmp_path / "out" / "data").exists()


def test_a_large_stage_stops_as_soon_as_it_must_fail(tmp_path: Path, command: Command) -> None:
    """Long before the last of 3,000 clips: a third of the tenth that may fail, and what is in flight."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number}.mp4").write_bytes(b"x")
    recipe = write_recipe(tmp_path / "rough.yaml", folder_source(folder), rate=0.03, piece_rows=500)
    done = command(recipe, "--out", tmp_path / "out")
    assert_one_clear_error(done, "of 3000 clips failed", "unreadable", "max_reject_rate 0.03")
    tried = sum(path.read_text().count("\n") for path in (tmp_path / "out" / ".work" / "filling").rglob("*.jsonl"))
    assert 90 <= tried < 2000
    assert not (tmp_path / "out" / "data").exists()
