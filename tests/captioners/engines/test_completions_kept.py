"""What was answered once is not asked for again, and what would be answered otherwise is: counted by the server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from shotscribe.builder.build import build
from shotscribe.builder.progress import Progress
from shotscribe.builder.tools.main import app
from typer.testing import CliRunner

CLIPS = 3
TOKENS = 20  # of every answer, as the server counts them
RECIPE = """\
name: kept
version: "1"
sources: [{{use: folder, path: "{folder}", license: cc0-1.0}}]
engines:
  vlm: {{use: openai, model: m, revision: a, base_url: "{url}", key_env: null}}
steps:
  - {{use: frames, engine: vlm, at: [0.5], prompt: ./look.txt, max_tokens: 64, language: en, bad: keep}}
"""


@pytest.fixture(name="asked")
def asked_fixture(
    chat: Any,
    tmp_path: Path,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> Callable[..., int]:
    """Runs the recipe with parts of it replaced; how many requests the server saw."""
    for seed in range(CLIPS):
        encode(tmp_path / "clips" / f"{seed}.mp4", moving(20, seed=seed))
    (tmp_path / "look.txt").write_text("{frames}\nDescribe it.\n")
    chat.server.answer = lambda seen: chat.Reply(chat.said("The video shows a pattern that moves to the right."))

    def asked(*changes: tuple[str, str], retry: str | None = None) -> int:
        text = RECIPE.format(folder=tmp_path / "clips", url=chat.server.url)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "r.yaml").write_text(text)
        before = len(chat.server.seen)
        progress = Progress(Console(file=io.StringIO(), force_terminal=False))
        build(tmp_path / "r.yaml", out=tmp_path / "out", retry=[retry] if retry else [], progress=progress)
        return len(chat.server.seen) - before

    return asked


def captions(tmp_path: Path) -> list[str]:
    return pq.read_table(tmp_path / "out" / "metadata").column("caption").to_pylist()


def test_rules_for_answers_ask_for_nothing(asked: Callable[..., int], tmp_path: Path) -> None:
    assert asked() == CLIPS
    assert captions(tmp_path) == ["A pattern that moves to the right."] * CLIPS
    assert asked(("bad: keep", "bad: keep, mentions: keep")) == 0
    assert captions(tmp_path) == ["The video shows a pattern that moves to the right."] * CLIPS
    assert asked(("language: en", "language: null"), ("bad: keep", "bad: reject")) == 0
    assert asked(("bad: keep", "bad: keep, retries: 5")) == 0
    assert asked(("max_tokens: 64", "max_tokens: 1000")) == 0
    assert asked(("max_tokens: 64", f"max_tokens: {TOKENS}")) == 0
    assert asked(("max_tokens: 64", f"max_tokens: {TOKENS - 1}")) == CLIPS
    assert asked(("bad: keep", "bad: keep, column: words"), ("steps:", "publish: {caption: words}\nsteps:")) == 0
    assert asked(("vlm", "other")) == 0, "the name of an engine in the recipe"
    assert asked(("key_env: null", "key_env: null, max_in_flight: 1, timeout_s: 9")) == 0


@pytest.mark.parametrize(
    "change",
    [
        ("model: m", "model: n"),
        ("revision: a", "revision: b"),
        ("key_env: null", "key_env: null, detail: high"),
        ("key_env: null", "key_env: null, extra_body: {top_k: 1}"),
        ("bad: keep", "bad: keep, seed: 1"),
        ("bad: keep", "bad: keep, temperature: 0.5"),
        ("at: [0.5]", "at: [0.1]"),
        ("at: [0.5]", "at: [0.5], size: {short_side_px: 64}"),
    ],
    ids=str,
)
def test_what_would_be_answered_otherwise_is_asked_for(asked: Callable[..., int], change: tuple[str, str]) -> None:
    assert asked() == CLIPS
    assert asked(change) == CLIPS
    assert asked() == 0, "the first answers are there still"
    assert asked(change) == 0


def test_another_prompt_is_another_request(asked: Callable[..., int], tmp_path: Path) -> None:
    assert asked() == CLIPS
    (tmp_path / "look.txt").write_text("{frames}\nDescribe it well.\n")
    assert asked() == CLIPS


def test_pruning_frees_the_answers_of_former_engines_alone(asked: Callable[..., int], tmp_path: Path) -> None:
    assert asked() == CLIPS
    assert asked(("revision: a", "revision: b")) == CLIPS
    done = CliRunner().invoke(app, ["prune", str(tmp_path / "out"), "--yes", "--completions"])
    assert "answers of engines" in done.output
    assert asked(("revision: a", "revision: b"), ("bad: keep", "bad: keep, mentions: keep")) == 0
    assert asked() == CLIPS


def test_more_retries_ask_for_the_further_ones_alone_and_retry_for_all(
    chat: Any, asked: Callable[..., int], tmp_path: Path
) -> None:
    """Of one clip of three: the others are good."""
    seen_first: list[str] = []

    def answer(seen: Any) -> Any:
        asked_for = str(seen.body["messages"])
        seen_first[:] = seen_first or [asked_for]
        return chat.Reply(chat.said("" if asked_for == seen_first[0] else "A pattern moves."))

    chat.server.answer = answer
    few, more = ("bad: keep", "bad: keep, retries: 1"), ("bad: keep", "bad: keep, retries: 3")
    assert asked(few) == CLIPS + 1
    assert asked(more) == 2
    reject = ("bad: keep", "bad: reject, retries: 3")
    assert asked(reject, ("steps:", "run: {max_reject_rate: 0.5}\nsteps:")) == 0
    assert len(captions(tmp_path)) == CLIPS - 1
    assert asked(reject, ("steps:", "run: {max_reject_rate: 0.5}\nsteps:"), retry="bad_caption") == 4
