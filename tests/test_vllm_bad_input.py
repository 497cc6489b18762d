"""Odd clips and unfit models on the real engine: a clip is captioned or rejected by name, a model refused at once."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

RECIPE = """\
name: odd
version: "1"
sources:
  - {{use: folder, path: "{folder}/clips", license: cc0-1.0}}
engines:
  vlm: {{use: vllm, model: {model}, {options}, limit_mm_per_prompt: {{image: 32, video: 1}}}}
steps:
  - {{use: keyframes, interval_s: 0.1, below: 0.999999, embed: {{use: layout}}}}
  - {{use: sliding, engine: vlm, prompt: ./window.txt, first_prompt: ./look.txt, retries: 0, bad: keep}}
  - {{use: video, engine: vlm, prompt: ./look.txt, fps: 1, max_frames: 8, retries: 0, bad: keep, column: moving}}
  - {{use: frames, engine: vlm, prompt: ./look.txt, improve: ./improve.txt, at: [0.5], column: improved}}
  - {{use: fast, engine: vlm, prompt: ./look.txt, layout: images, max_frames: 64, retries: 0, bad: keep}}
run: {{max_reject_rate: 1}}
"""


def write(folder: Path, model: Path, options: str) -> Path:
    (folder / "look.txt").write_text("Describe it.\n")
    (folder / "window.txt").write_text("{frames}\nBefore: {previous}\nWhat changes?\n")
    (folder / "improve.txt").write_text("{frames}\nThey said: {source_caption}\nSay it better.\n")
    path = folder / "odd.yaml"
    path.write_text(RECIPE.format(folder=folder, model=model, options=options))
    return path


def test_odd_clips(
    tmp_path: Path,
    truth_vlm: Path,
    vllm_on_cpu: str,
    entry: list[str],
    film: Callable[..., Path],
    encode: Callable[..., Path],
    colors: list[str],
) -> None:
    clips = tmp_path / "clips"
    film(clips / "identical frames.mp4", ["red"])
    (clips / "identical frames.txt").write_text(" \n")  # an empty source_caption
    film(clips / "one frame.mp4", ["blue"], seconds_each=0.1)
    film(clips / "plain.mp4", ["green", "purple"], seconds_each=0.1)
    many = itertools.islice(itertools.cycle(colors), 300)
    film(clips / "three hundred keyframes.mp4", many, seconds_each=0.1)
    encode(clips / "four pixels.mp4", [np.full((4, 4, 3), 200, np.uint8)] * 2, fps=10)
    recipe = write(tmp_path, truth_vlm, vllm_on_cpu)
    out = tmp_path / "out"
    done = subprocess.run([*entry, recipe, "--out", out], capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["source_id"].removesuffix(".mp4"): row for row in pq.read_table(out / "metadata").to_pylist()}
    rejects = pq.read_table(out / "rejects.parquet").to_pylist()
    (reject,) = (row for row in rejects if row["source_id"] == "three hundred keyframes.mp4")
    assert (reject["step"], reject["reason"]) == ("fast", "context_overflow")
    assert "At most 32 image" in reject["detail"]
    assert set(rows) >= {"identical frames", "one frame", "plain"}
    windows = {name: [window["caption"] for window in row["diff_captions"]] for name, row in rows.items()}
    assert windows["one frame"] == ["blue"]
    assert windows["plain"] == ["green", "green purple"]
    assert windows["identical frames"][0] == "red"
    assert set(windows["identical frames"][1:]) == {"red red"}
    assert [rows[name]["improved"] for name in ("identical frames", "one frame")] == ["red", "blue"]
    assert all(row["moving_info"]["status"] for row in rows.values())
    named = {row["source_id"].removesuffix(".mp4") for row in rejects} | set(rows)
    assert named == {path.stem for path in clips.glob("*.mp4")}


def test_a_model_without_a_chat_template_is_refused(
    tmp_path: Path, truth_vlm: Path, vllm_on_cpu: str, entry: list[str], film: Callable[..., Path]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(truth_vlm, model, ignore=shutil.ignore_patterns("chat_template.jinja"))
    film(tmp_path / "clips" / "a.mp4", ["red"])
    recipe = write(tmp_path, model, vllm_on_cpu)
    command = [*entry, recipe, "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 1
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert "chat template" in error
    assert "chat_template" in error
    assert "Traceback" not in done.stderr
