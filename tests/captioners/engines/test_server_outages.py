"""Whole runs over a server that is in trouble: no clip is lost for it, and the same command goes on."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

RECIPE = """\
name: served
version: "1"
sources: [{{use: folder, path: "{folder}", license: cc0-1.0}}]
engines:
  vlm: {{use: openai, model: m, base_url: "{url}", key_env: null, tries: 1, timeout_s: 2, patience_s: {wait}}}
steps: [{{use: frames, engine: vlm, at: [0.5], prompt: ./look.txt}}]
"""
CLIPS = 6

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clips(tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]) -> Path:
    for seed in range(CLIPS):
        encode(tmp_path / "clips" / f"{seed}.mp4", moving(20, seed=seed))
    (tmp_path / "look.txt").write_text("{frames}\nDescribe it.\n")
    return tmp_path / "clips"


@pytest.fixture
def command(entry: list[str]) -> Command:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)

    return run


FAULTS: dict[str, dict[str, Any]] = {
    "busy": {"body": {"error": {"message": "No room."}}, "status": 503},
    "broken": {"body": b"oops", "status": 500},
    "hang": {"hang": True},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_answers_only_errors_ends_the_run_and_the_same_command_goes_on(
    chat: Any, clips: Path, tmp_path: Path, command: Command, fault: str
) -> None:
    (recipe := tmp_path / "r.yaml").write_text(RECIPE.format(folder=clips, url=chat.server.url, wait=3))
    chat.server.up = False
    chat.server.answer = lambda seen: chat.Reply(**FAULTS[fault])
    failed = command(recipe, "--out", tmp_path / "out")
    assert failed.returncode == 1
    assert re.search(r"nothing was answered for \d+ s \(patience_s\).*run the same command again", failed.stderr)
    assert "rejects" not in failed.stderr
    chat.server.answer = lambda seen: chat.Reply(chat.said("A pattern moves to the right."))
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out" / "metadata").num_rows == CLIPS
    assert pq.read_table(tmp_path / "out" / "rejects.parquet").num_rows == 0


def test_a_server_that_goes_in_the_middle_is_waited_for(
    chat: Any, clips: Path, tmp_path: Path, command: Command
) -> None:
    (recipe := tmp_path / "r.yaml").write_text(RECIPE.format(folder=clips, url=chat.server.url, wait=60))
    chat.server.up = False
    down = threading.Event()

    def answer(seen: Any) -> Any:
        if len(chat.server.seen) == 3:
            down.set()
            threading.Timer(8, down.clear).start()
        return chat.Reply(b"loading", status=503) if down.is_set() else chat.Reply(chat.said("A pattern moves."))

    chat.server.answer = answer
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out" / "metadata").num_rows == CLIPS


def test_one_clip_that_the_server_always_fails_at_is_rejected_alone_and_told_how_to_try_again(
    chat: Any, clips: Path, tmp_path: Path, command: Command
) -> None:
    """A healthy server fails at one request, the last of the run included: that is the clip's own."""
    (recipe := tmp_path / "r.yaml").write_text(RECIPE.format(folder=clips, url=chat.server.url, wait=60))
    seen_first: list[str] = []

    def answer(seen: Any) -> Any:
        asked = str(seen.body["messages"])
        seen_first[:] = seen_first or [asked]
        return chat.Reply(b"oops", status=500) if asked == seen_first[0] else chat.Reply(chat.said("A pattern moves."))

    chat.server.answer = answer
    done = command(recipe, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out" / "metadata").num_rows == CLIPS - 1
    assert f"to try these again, build-dataset {recipe} --retry engine_error" in done.stdout
    chat.server.answer = lambda seen: chat.Reply(chat.said("A pattern moves."))
    again = command(recipe, "--out", tmp_path / "out", "--retry", "engine_error")
    assert again.returncode == 0, again.stderr
    assert pq.read_table(tmp_path / "out" / "metadata").num_rows == CLIPS
