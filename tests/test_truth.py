"""The truth through whole recipes: a real engine whose captions can be checked, with hundreds in flight on two of them.

The model names the colours of the pictures that it sees, in order (`truth_vlm`), and the clips show known colours, a
second each. So a caption tells which frames the model saw, in which order, and of which clip.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.timeout(900)

Row = dict[str, Any]

COUNT = 48
RECIPE = """\
name: truth
version: "1"
sources:
  - {{use: folder, path: "{folder}/clips", license: cc0-1.0}}
engines:
  vlm: {{use: vllm, model: {model}, {options}, limit_mm_per_prompt: {{image: 4}}, replicas: 2, in_flight: 32}}
steps:
  - {{use: keyframes, interval_s: 1.0, below: 0.93, embed: {{use: layout}}}}
  - {{use: short, engine: vlm, prompt: ./look.txt, frames: 2, size: {{short_side_px: 112}}}}
  - {{use: sliding, engine: vlm, prompt: ./window.txt, first_prompt: ./look.txt, size: {{short_side_px: 112}}}}
  - {{use: summarize, engine: vlm, prompt: ./merge.txt}}
  - {{use: fast, engine: vlm, prompt: ./look.txt, layout: images, max_frames: 4, column: fast}}
  - {{use: frames, engine: vlm, prompt: ./look.txt, centres: 3, column: centres}}
  - {{use: frames, engine: vlm, prompt: ./look.txt, at: [0.0, 1.0], column: ends}}
publish: {{caption: caption, shard_size: 60MB}}
run: {{piece_rows: 7}}
"""
PROMPTS = {  # as short as those that the model learnt from
    "look.txt": "You describe a scene.\n---\n{frames}\nDescribe it.\n",
    "window.txt": "You compare two moments.\n---\n{frames}\nBefore: {previous}\nWhat changes?\n",
    "merge.txt": "Merge the notes into one caption.\n---\n{captions}\n",
}


@pytest.fixture(scope="module", name="folder")
def folder_fixture(
    tmp_path_factory: pytest.TempPathFactory,
    truth_vlm: Path,
    vllm_on_cpu: str,
    film: Callable[..., Path],
    colors: list[str],
) -> Path:
    """48 films of two to four colours, the prompts, and the recipe over them."""
    folder = tmp_path_factory.mktemp("truth")
    rng = random.Random(7)
    for number in range(COUNT):
        shown = [rng.choice(colors)]
        while len(shown) < 2 + number % 3:
            shown.append(rng.choice([color for color in colors if color != shown[-1]]))
        film(folder / "clips" / f"{number:02} {'-'.join(shown)}.mp4", shown)
    for name, text in PROMPTS.items():
        (folder / name).write_text(text)
    recipe = RECIPE.format(folder=folder, model=truth_vlm, options=vllm_on_cpu)
    (folder / "truth.yaml").write_text(recipe)
    return folder


@pytest.fixture(scope="module", name="rows")
def rows_fixture(folder: Path, entry: list[str]) -> list[Row]:
    """What the recipe makes on two engines, of which one is killed, and then the command itself, and started again."""
    out = folder / "out"
    command = [*entry, folder / "truth.yaml", "--out", out]
    news = folder / "news"
    with news.open("w") as file:
        run = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)
    try:
        until(lambda: logged(out) > 30)
        os.kill(next(processes("VLLM::EngineCore", below=run.pid)), signal.SIGKILL)
        until(lambda: "clips in hand; starts again" in news.read_text())
        until(lambda: logged(out) > 150)
        family = list(processes("", below=run.pid))
        run.kill()
        run.wait()
    finally:
        run.kill()
    assert "process 2 of 2: ready" in news.read_text()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(out / "rejects.parquet").num_rows == 0
    rows: list[Row] = pq.read_table(out / "metadata").to_pylist()
    assert len(rows) == COUNT
    return rows


def colors_of(row: Row) -> list[str]:
    return row["source_id"].removesuffix(".mp4").split(" ")[1].split("-")


def at(row: Row, seconds: float) -> str:
    """The colour on screen."""
    colors = colors_of(row)
    return colors[min(int(seconds + 1e-6), len(colors) - 1)]


def merged(words: list[str]) -> str:
    return " ".join(word for word, _ in itertools.groupby(words))


def test_every_window_saw_the_previous_keyframe_and_the_current_one(rows: list[Row]) -> None:
    for row in rows:
        shown = [at(row, time) for time in row["keyframes"]]
        expected = [shown[0], *(f"{before} {now}" for before, now in itertools.pairwise(shown))]
        assert [window["caption"] for window in row["diff_captions"]] == expected, row["source_id"]
        times = [(window["start"], window["end"]) for window in row["diff_captions"]]
        assert times == [(row["keyframes"][0],) * 2, *itertools.pairwise(row["keyframes"])]


def test_short_and_frames_saw_what_they_say_in_order(rows: list[Row]) -> None:
    for row in rows:
        length = len(colors_of(row))
        assert row["short_caption"] == f"{at(row, length / 4)} {at(row, length * 3 / 4)}"
        assert row["centres"] == " ".join(at(row, length * part / 6) for part in (1, 3, 5))
        assert row["ends"] == f"{at(row, 0)} {at(row, length)}"


def test_fast_saw_all_keyframes_in_order(rows: list[Row]) -> None:
    """The model drops a word now and then where a colour comes three times: nearly all must be right."""
    told = []
    for row in rows:
        shown = row["keyframes"]
        seen = shown if len(shown) <= 4 else [shown[round(index * (len(shown) - 1) / 3)] for index in range(4)]
        told.append(" ".join(at(row, time) for time in seen))
    assert sum(row["fast"] == text for row, text in zip(rows, told, strict=True)) >= 0.9 * len(rows)
    assert all(set(row["fast"].split()) == set(text.split()) for row, text in zip(rows, told, strict=True))


def test_the_summary_was_made_of_the_differential_captions_in_their_order(rows: list[Row]) -> None:
    """The model loses a word now and then where there are many: nearly all must be right, and none another clip's."""
    told = [merged(" ".join(window["caption"] for window in row["diff_captions"]).split()) for row in rows]
    right = [row["caption"] == text for row, text in zip(rows, told, strict=True)]
    assert sum(right) >= 0.9 * len(rows)
    assert all(set(row["caption"].split()) <= set(text.split()) for row, text in zip(rows, told, strict=True))


def test_a_caption_says_how_it_was_made(rows: list[Row]) -> None:
    for row in rows:
        infos = [row[f"{name}_info"] for name in ("short_caption", "caption", "fast", "centres", "ends")]
        windows = [window["info"] for window in row["diff_captions"]]
        for info in [*infos, *windows]:
            assert (info["status"], info["model"], info["seed"]) == ("ok", "truth_vlm", 0)
            assert info["revision"].startswith("sha256:")
            assert info["input_tokens"] > 10
            assert info["output_tokens"] >= 1
        frames = [info["frames"] for info in windows]
        assert len(frames[0]) == 1
        assert all(before[-1] == now[0] for before, now in itertools.pairwise(frames)), "windows overlap by a frame"
        assert row["caption_info"]["frames"] == []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 150
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logged(out: Path) -> int:
    """Completions in the logs of unfinished shards, and clips of finished ones."""
    logs = (out / ".work" / "filling" / "journal").glob("*.jsonl")
    return sum(path.read_bytes().count(b'"request"') for path in logs if path.exists())


def processes(name: str, *, below: int) -> Iterator[int]:
    """Descendants of a process whose title begins with `name`, by /proc."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                title = (entry / "cmdline").read_bytes().decode()
            except (OSError, ValueError):
                continue
            if parent == below:
                yield from processes(name, below=int(entry.name))
                if title.startswith(name):
                    yield int(entry.name)
