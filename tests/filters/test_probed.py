"""duration, resolution, fps, dynamic_range, interlaced: the steps that judge what probing measured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.step import Step
from shotscribe.filters.duration import Duration
from shotscribe.filters.dynamic_range import DynamicRange
from shotscribe.filters.fps import Fps
from shotscribe.filters.interlaced import Interlaced
from shotscribe.filters.resolution import Resolution


@pytest.mark.parametrize(
    ("step", "row", "reason", "detail"),
    [
        (Duration(min_s=2), {"duration": 1.96}, Reason.BELOW_MIN, "duration 1.96 < min_s 2"),
        (Duration(max_s=120), {"duration": 120.5}, Reason.ABOVE_MAX, "duration 120.5 > max_s 120"),
        (Fps(min=23.9), {"fps": 12.0}, Reason.BELOW_MIN, "fps 12 < min 23.9"),
        (Fps(max=60), {"fps": 119.88}, Reason.ABOVE_MAX, "fps 119.9 > max 60"),
        (
            Resolution(min_short_px=720),
            {"width": 1920, "height": 540},
            Reason.BELOW_MIN,
            "short side 540 < min_short_px 720",
        ),
        (
            Resolution(max_short_px=1080),
            {"width": 2160, "height": 3840},
            Reason.ABOVE_MAX,
            "short side 2160 > max_short_px 1080",
        ),
        (
            Resolution(min_aspect=1),
            {"width": 1080, "height": 1920},
            Reason.BELOW_MIN,
            "aspect ratio 0.5625 < min_aspect 1",
        ),
        (
            Resolution(max_aspect=2.4),
            {"width": 3000, "height": 1000},
            Reason.ABOVE_MAX,
            "aspect ratio 3 > max_aspect 2.4",
        ),
    ],
)
def test_a_clip_out_of_bounds_is_rejected_with_value_and_limit(
    step: Step, row: dict[str, Any], reason: Reason, detail: str
) -> None:
    rejection = step.verdict(row)
    assert rejection is not None
    assert (rejection.reason, rejection.detail) == (reason, detail)
    assert rejection.option in step.judging()
    assert detail.split()[-2] == rejection.option
    assert set(step.reads()) == set(row)


@pytest.mark.parametrize(
    ("step", "row"),
    [
        (Duration(min_s=2, max_s=2), {"duration": 2.0}),
        (Fps(min=23.9, max=30), {"fps": 24000 / 1001}),
        (Resolution(min_short_px=720, max_aspect=16 / 9), {"width": 1280, "height": 720}),
        (Resolution(min_short_px=720), {"width": 720, "height": 1280}),
    ],
)
def test_bounds_are_inclusive_and_orientation_is_no_matter(step: Step, row: dict[str, Any]) -> None:
    assert step.verdict(row) is None


@pytest.mark.parametrize("kind", [Duration, Fps, Resolution])
def test_a_step_without_limits_is_a_mistake(kind: type[Step]) -> None:
    with pytest.raises(ValidationError, match="drops nothing: give at least one of m"):
        kind()


@pytest.mark.parametrize(
    ("kind", "limits", "message"),
    [
        (Duration, {"min_s": 5, "max_s": 2}, "min_s 5 is above max_s 2"),
        (Fps, {"min": 60, "max": 24}, "min 60 is above max 24"),
        (Resolution, {"min_aspect": 2, "max_aspect": 1}, "min_aspect 2 is above max_aspect 1"),
        (Resolution, {"min_short_px": 8, "max_short_px": 4}, "min_short_px 8 is above max_short_px 4"),
    ],
)
def test_limits_that_leave_nothing_are_a_mistake(kind: type[Step], limits: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**limits)


def test_limits_take_no_part_in_the_identity() -> None:
    assert Duration(min_s=1).identity() == Duration(max_s=9).identity()
    assert Resolution(min_short_px=1).identity() == Resolution(max_aspect=2).identity()
    assert Fps(min=1).identity() == Fps(max=9).identity()


@pytest.mark.parametrize(
    ("step", "kept", "dropped", "detail"),
    [
        (
            DynamicRange(),
            {"color_transfer": None},
            {"color_transfer": "smpte2084"},
            "color_transfer smpte2084: keep sdr",
        ),
        (
            DynamicRange(keep="hdr"),
            {"color_transfer": "arib-std-b67"},
            {"color_transfer": None},
            "color_transfer unknown: keep hdr",
        ),
        (
            DynamicRange(keep="hdr"),
            {"color_transfer": "smpte2084"},
            {"color_transfer": "bt2020-10"},
            "color_transfer bt2020-10: keep hdr",
        ),
        (Interlaced(), {"interlaced": False}, {"interlaced": True}, "interlaced: keep progressive"),
        (Interlaced(keep="interlaced"), {"interlaced": True}, {"interlaced": False}, "progressive: keep interlaced"),
    ],
)
def test_one_of_two_kinds_is_kept(step: Step, kept: dict[str, Any], dropped: dict[str, Any], detail: str) -> None:
    assert step.verdict(kept) is None
    assert step.verdict(dropped) == Rejection(Reason.EXCLUDED, detail, "keep")
    assert set(step.reads()) == set(kept)
