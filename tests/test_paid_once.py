"""What was answered is not paid for again: counted by the server itself, over a run that is killed and goes on."""

from __future__ import annotations

import random
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

IN_FLIGHT = 6
RECIPE = """\
name: paid
version: "1"
sources:
  - {{use: folder, path: "{folder}/clips", license: cc0-1.0}}
engines:
  vlm: {{use: openai, model: truth, base_url: "{url}", key_env: null, max_in_flight: {in_flight}, in_flight: 16}}
steps:
  - {{use: keyframes, interval_s: 0.5, below: 0.93, embed: {{use: layout}}}}
  - {{use: sliding, engine: vlm, prompt: ./window.txt, first_prompt: ./look.txt, retries: 0, bad: keep}}
publish: {{shard_size: 60MB}}
run: {{piece_rows: 5}}
"""


def test_after_a_kill_at_most_the_requests_in_flight_are_paid_for_again(
    tmp_path: Path, vlm_server: str, film: Callable[..., Path], colors: list[str], entry: list[str]
) -> None:
    rng = random.Random(3)
    for number in range(16):
        film(tmp_path / "clips" / f"{number}.mp4", rng.sample(colors, 6), seconds_each=0.5)
    (tmp_path / "look.txt").write_text("Describe it.\n")
    (tmp_path / "window.txt").write_text("{frames}\nBefore: {previous}\nWhat changes?\n")
    recipe = tmp_path / "paid.yaml"
    recipe.write_text(RECIPE.format(folder=tmp_path, url=vlm_server, in_flight=IN_FLIGHT))
    out = tmp_path / "out"
    before = answered(vlm_server)
    kills = 0
    for wanted in (15, 50, 80):
        run = subprocess.Popen([*entry, recipe, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while run.poll() is None and answered(vlm_server) - before < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kills += run.poll() is None
        run.kill()
        run.wait()
    done = subprocess.run([*entry, recipe, "--out", out], capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    windows = sum(map(len, pq.read_table(out / "metadata").column("diff_captions").to_pylist()))
    assert windows >= 16 * 6
    assert kills >= 2
    paid = answered(vlm_server) - before
    assert windows <= paid <= windows + kills * IN_FLIGHT, f"{paid} requests paid for {windows} captions"


def answered(url: str) -> int:
    """Requests that the server has answered, those whose client had gone included."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=30) as response:
        text = response.read().decode()
    return round(sum(float(count) for count in re.findall(r"^vllm:request_success_total\{.*\} (\S+)$", text, re.M)))
