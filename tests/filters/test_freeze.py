"""Which stretches stand still, and what is judged by them; `test_vmaf_motion.py` compares them with FFmpeg's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters._picture_change import CHANGES
from shotscribe.filters.freeze import Freeze

Encode = Callable[..., Path]
Moving = Callable[..., Iterable[np.ndarray]]
PartOf = Callable[..., Clip]


def test_what_freezes(encode: Encode, moving: Moving, part_of: PartOf, tmp_path: Path) -> None:
    slides = list(moving(10))
    path = encode(tmp_path / "a.mp4", [*slides, *[slides[-1]] * 15], fps=10)
    row = {"duration": 2.5, **Freeze().make(part_of(path, sampling=CHANGES, duration=2.5), NO_ENGINE)}
    row |= Freeze().derive(row)
    assert (row["frozen"], row["frozen_longest_s"]) == (0.64, 1.6)
    assert Freeze(min_s=2).derive(row) == {"frozen": 0.0, "frozen_longest_s": 0.0}
    longest, share = Freeze(max_s=1).verdict(row), Freeze(max=0.5).verdict(row)
    assert longest is not None
    assert share is not None
    assert (longest.option, share.option) == ("max_s", "max")
    assert Freeze(max_s=2, max=0.7).verdict(row) is None
    part = Freeze().make(part_of(path, sampling=CHANGES, duration=1.0, start=1.0), NO_ENGINE)
    assert part["still_stretches"] == pytest.approx([1.0])
