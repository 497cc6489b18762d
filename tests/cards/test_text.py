"""Figures and words, as people read them."""

from __future__ import annotations

import pytest
from shotscribe.cards.text import duration, fenced, one_line, share, shortened, size, type_name


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (8.44, "8.4 s"),
        (59.96, "1 min 0 s"),
        (432.1, "7 min 12 s"),
        (3599.7, "1 h 0 min"),
        (360_000, "100 h 0 min"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_999, "1 MB"), (2_345_678_901, "2.35 GB")]
)
def test_size(value: int, said: str) -> None:
    assert size(value) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 10, "0%"), (10, 10, "100%"), (1, 100_000, "<0.1%"), (99_999, 100_000, ">99.9%"), (1, 3, "33.3%"), (0, 0, "–")],
)
def test_share_never_rounds_to_nothing_or_to_all(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


def test_shortened_cuts_at_a_word_and_keeps_the_limit() -> None:
    assert shortened("a tram crosses the square", limit=16) == "a tram crosses…"
    assert shortened("x" * 50, limit=10) == "x" * 9 + "…"
    assert shortened("short", limit=10) == "short"


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("````\nx", language="yaml").splitlines()[0] == "`````yaml"


def test_one_line_keeps_scripts_and_drops_what_reorders() -> None:
    assert one_line(" a\n\tb\u202e\x07 ") == "a b"
    assert one_line("👩‍🚒 नमस्ते مرحبا") == "👩‍🚒 नमस्ते مرحبا"


def test_type_names() -> None:
    assert type_name([{"start": "float64", "tags": ["string"]}]) == "list of {start: float64, tags: list of string}"
