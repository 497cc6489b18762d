"""The parts of a clip: what they cover, how long they are, and why one is left out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.filters.split import Split

seconds = st.floats(0.1, 500)


def parts(
    step: Split, duration: float, starts: list[float] | None = None, ends: list[float] | None = None
) -> list[Any]:
    row = {"clip_id": "film-1", "duration": duration, "shot_starts": starts, "shot_ends": ends}
    return list(step.split(row))


@given(duration=seconds, window=st.floats(0.05, 600), overlap=st.floats(0, 0.9))
def test_windows_cover_the_clip(duration: float, window: float, overlap: float) -> None:
    made = parts(Split(by="windows", window_s=window, overlap_s=overlap * window), duration)
    assert made[0].start == 0
    assert made[-1].end == pytest.approx(duration)
    for before, after in pairwise(made):
        assert before.end - before.start == pytest.approx(window)
        assert before.end - after.start == pytest.approx(overlap * window, abs=1e-6)
    assert all(part.end > part.start for part in made)
    assert [part.values["part"] for part in made] == list(range(len(made)))


@given(lengths=st.lists(seconds, min_size=1, max_size=8), most=st.floats(0.5, 100), trim=st.floats(0, 0.4))
def test_shots_are_cut_to_equal_parts_and_trimmed(lengths: list[float], most: float, trim: float) -> None:
    edges = [sum(lengths[:at]) for at in range(len(lengths) + 1)]
    made = parts(Split(by="scenes", force_cut_s=most, trim=trim), edges[-1], edges[:-1], edges[1:])
    kept = sum(part.end - part.start for part in made)
    assert kept == pytest.approx(edges[-1] * (1 - 2 * trim), rel=1e-6)
    for part in made:
        assert part.end - part.start <= most * (1 - 2 * trim) + 1e-4
        assert any(start - 1e-6 <= part.start < part.end <= end + 1e-6 for start, end in pairwise(edges))


def test_what_is_too_short_or_too_long_is_left_out_by_its_option() -> None:
    made = parts(Split(by="scenes", min_s=2, max_s=5), 10.0, [0.0, 1.0, 4.0], [1.0, 4.0, 10.0])
    assert [(part.rejection and (str(part.rejection.reason), part.rejection.option)) for part in made] == [
        ("below_min", "min_s"),
        None,
        ("above_max", "max_s"),
    ]
    assert made[0].rejection.detail == "seconds of the part from 0.00 to 1.00: 1 < min_s 2"
    assert made[1].values == {"parent_id": "film-1", "part": 1}


def test_it_brings_the_cuts_that_it_needs() -> None:
    brought = Split(by="transnet", threshold=0.3).before()
    assert [(step.by, step.threshold) for step in brought] == [("transnet", 0.3)]
    assert Split(by="windows", window_s=5).before() == ()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"by": "windows"}, "give window_s"),
        ({"by": "scenes", "window_s": 3}, "only there"),
        ({"by": "windows", "window_s": 3, "overlap_s": 3}, "not below window_s"),
        ({"by": "windows", "window_s": 3, "detector": "adaptive"}, "are for shots"),
        ({"by": "scenes", "threshold": 1}, "not kept"),
        ({"by": "scenes", "min_s": 5, "max_s": 2}, "above max_s"),
        ({"by": "scenes", "trim": 0.5}, "less than 0.5"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Split(**options)
