"""Which packets need not be decoded to get the wanted frames exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .packets import Span


def plan(span: Span, moments: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """The runs of packets (first, stop) that must be decoded to get the frames of these timestamps.

    A run starts at a key frame and stops after its last wanted packet. Frames that are decoded after a key frame but
    shown before it may refer to the group before it, so then that one is decoded as well.
    """
    wanted = np.isin(span.pts, moments) & span.shown
    starts = [0, *(int(i) for i in np.flatnonzero(span.keys) if i)]
    runs: list[tuple[int, int]] = []
    whole = False  # the group that follows in the file needs all of this one
    for first, stop in reversed(list(zip(starts, [*starts[1:], len(span.pts)], strict=True))):
        hits = np.flatnonzero(wanted[first:stop])
        if whole:
            runs[-1] = (first, runs[-1][1])
        elif hits.size:
            runs.append((first, first + int(hits[-1]) + 1))
        whole = bool(hits.size) and bool((span.pts[first:stop][hits] < span.pts[first]).any())
    return runs[::-1]
