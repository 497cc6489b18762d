"""Answers that are kept for good: which of them a request may have had, and what damage costs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.store.completions import ClipLog, completions_path, fitting, read_completions
from shotscribe.builder.store.seal import damaged


def answer(finish: str, tokens: int, limit: int) -> dict[str, Any]:
    return {"text": f"{finish} {tokens}", "finish": finish, "output_tokens": tokens, "max_tokens": limit}


@pytest.mark.parametrize(
    ("limit", "found"),
    [(10, None), (19, None), (20, "stop 20"), (50, "stop 20"), (64, "stop 20"), (1000, "stop 20")],
)
def test_an_answer_that_ended_by_itself_holds_for_every_limit_not_below_its_length(
    limit: int, found: str | None
) -> None:
    known = fitting([answer("stop", 20, 64)], max_tokens=limit)
    assert (known and known["text"]) == found


@pytest.mark.parametrize(("limit", "found"), [(32, None), (64, "length 64"), (128, None)])
def test_one_that_was_cut_off_holds_for_its_own_limit_alone(limit: int, found: str | None) -> None:
    known = fitting([answer("length", 64, 64)], max_tokens=limit)
    assert (known and known["text"]) == found


def test_the_latest_counts() -> None:
    answers = [answer("stop", 20, 64), answer("stop", 21, 64), answer("length", 10, 10)]
    assert fitting(answers, max_tokens=64) == answers[1]
    assert fitting(answers, max_tokens=10) == answers[2]
    assert fitting([], max_tokens=10) is None


def test_what_is_logged_is_read_and_a_bad_line_loses_itself_alone(tmp_path: Path) -> None:
    path = completions_path(tmp_path, "ab" * 32, "piece")
    path.parent.mkdir(parents=True)
    assert read_completions(path) == {}
    for clip in "abc":
        for number in range(3):
            ClipLog(clip, {}, path).append(f"request {number}", answer("stop", number, 64))
    whole = {clip: {f"request {number}": [answer("stop", number, 64)] for number in range(3)} for clip in "abc"}
    assert read_completions(path) == whole
    rng, content = random.Random(4), path.read_bytes()
    for _ in range(100):
        spoilt = bytearray(content)
        bit = rng.randrange(8 * len(content))
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        found = read_completions(path)
        kept = [(clip, request) for clip, answers in found.items() for request in answers]
        assert len(kept) >= 9 - 2
        assert all(found[clip][request] == whole[clip][request] for clip, request in kept)
        assert len(kept) == 9 or damaged() == [path] or not path.read_bytes().endswith(content[-20:])
        damaged()


def test_half_a_line_of_a_kill_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = ClipLog("a", {}, path)
    log.append("1", answer("stop", 1, 64))
    size = path.stat().st_size
    log.append("2", answer("stop", 1, 64))
    with path.open("rb+") as file:
        file.truncate(size + 30)
    assert list(read_completions(path)["a"]) == ["1"]
    log.append("3", answer("stop", 1, 64))
    assert list(read_completions(path)["a"]) == ["1", "3"]
    assert damaged() == []
