from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.media.sound import timeline

RATE = 1000  # so that jitter is 50 samples

block = st.tuples(st.one_of(st.none(), st.integers(-3000, 6000)), st.integers(0, 2000))


@given(st.lists(block, max_size=12), st.integers(0, 5000), st.sampled_from([1, 2]))
def test_it_is_exactly_as_long_as_asked_for(blocks, total, channels):
    made = list(
        timeline(
            ((at, np.ones((channels, size), np.float32)) for at, size in blocks),
            rate=RATE,
            channels=channels,
            total=total,
        )
    )
    assert sum(part.shape[1] for part in made) == total
    assert all(part.shape[0] == channels and part.shape[1] for part in made)


@given(st.integers(-500, 500), st.lists(st.integers(1, 400), min_size=1, max_size=10), st.randoms())
def test_rounded_timestamps_move_nothing(first, sizes, chance):
    """Blocks that follow each other come out as one wave, though their timestamps are off by some samples."""
    wave = np.arange(1, sum(sizes) + 1, dtype=np.float32)
    starts = np.cumsum([0, *sizes])
    blocks = [
        (first + int(begin) + (chance.randint(-20, 20) if at else 0), wave[None, begin : begin + size])
        for at, (begin, size) in enumerate(zip(starts, sizes, strict=False))
    ]
    out = np.concatenate([np.empty((1, 0)), *timeline(iter(blocks), rate=RATE, channels=1, total=2000)], axis=1)[0]
    line = np.zeros(10_000)
    line[5000 + first : 5000 + first + len(wave)] = wave
    if first >= 0:
        assert np.array_equal(out, line[5000:7000])
    else:  # what lies before the beginning is not there to count from: only rounding may differ
        heard = min(2000, max(0, len(wave) + first))
        assert abs(np.count_nonzero(out) - heard) <= 20


def test_gaps_are_silent_and_overlaps_are_dropped():
    def ones(size: int, value: float) -> np.ndarray:
        return np.full((1, size), value, np.float32)

    blocks = [(100, ones(200, 1)), (600, ones(200, 2)), (700, ones(300, 3)), (None, ones(100, 4))]
    out = np.concatenate(list(timeline(iter(blocks), rate=RATE, channels=1, total=1300)), axis=1)[0]
    expected = np.concatenate(
        [np.full(size, value) for size, value in ((100, 0), (200, 1), (300, 0), (200, 2), (200, 3), (100, 4), (200, 0))]
    )
    assert np.array_equal(out, expected)
