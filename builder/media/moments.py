"""From wanted times to the timestamps of the frames that are on screen then."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..contract.errors import ClipError, Reason
from ..contract.frames import Sampling
from .packets import Span
from .reader import TOLERANCE_S

_MAX_TIMES = 5_000_000  # of a sampling: four weeks at 2 a second. Fixed, as what is stored must not depend on limits


def wanted_times(sampling: Sampling, seconds: float) -> npt.NDArray[np.float64] | None:
    """The times of a sampling, in seconds from the clip's start, in order; the clip's last frame is at `seconds`.

    One that is out of the clip is moved to its edge: where packets have no timestamps, it would get a frame of what is
    before the clip. None where all frames are wanted.
    """
    if sampling.every_frame:
        return None
    times = [*(fraction * seconds for fraction in sampling.fractions), *sampling.times]
    if sampling.every_s is not None and not times:
        count = max(1, math.ceil(seconds / sampling.every_s - 1e-9))
        if count > _MAX_TIMES:
            raise ClipError(Reason.LIMIT, f"{count} sampling times, every {sampling.every_s:g} s, > {_MAX_TIMES}")
        times = [index * sampling.every_s for index in range(count)]
    if sampling.with_last:
        times.append(seconds)
    return np.sort(np.clip(np.array(times, np.float64), 0.0, seconds))


def positions(
    seconds: npt.NDArray[np.float64], times: npt.NDArray[np.float64] | None, *, start: float, end: float
) -> npt.NDArray[np.intp]:
    """Which of the frames that begin at `seconds` are on screen at `times` of the clip from start to end, each once;
    all of the clip's where no times are given. A frame that begins at the clip's end is the next clip's.
    """
    first = max(0, int(np.searchsorted(seconds, start + TOLERANCE_S, "right")) - 1)
    last = max(first, int(np.searchsorted(seconds, end - TOLERANCE_S, "left")) - 1)
    if times is None:
        return np.arange(first, last + 1)
    index = np.searchsorted(seconds, start + times + TOLERANCE_S, "right") - 1
    return np.unique(np.clip(index, first, last))


def moments_at(
    span: Span, times: npt.NDArray[np.float64] | None, *, start: float, end: float, apart_s: float | None = None
) -> npt.NDArray[np.int64]:
    """Timestamps of the frames on screen at these times; of all, where packets have their own and no times are given.

    `apart_s`: from the first to the last of them, about so far apart, by what is cheap to decode (`_about`).
    """
    if span.complete:
        screen = span.screen()
        seconds = span.seconds(screen)
        chosen = positions(seconds, times, start=start, end=end)
        if apart_s is not None and span.referred.mean() < _MOST:
            referred = np.flatnonzero(np.isin(screen, span.pts[span.referred]))
            chosen = _about(seconds, referred, first=int(chosen[0]), last=int(chosen[-1]), apart_s=apart_s)
        return screen[chosen]
    # Packets without timestamps: the decoded frames' own will decide. These are the latest that will do.
    assert times is not None
    at = np.minimum(start + times, max(start, end - 2 * TOLERANCE_S)) + TOLERANCE_S
    return np.unique(np.array([span.pts_at(t) for t in at], np.int64))


_MOST = 0.4  # share of the frames that others refer to: with fewer, choosing among these saves most of the decoding


def _about(
    seconds: npt.NDArray[np.float64], referred: npt.NDArray[np.intp], *, first: int, last: int, apart_s: float
) -> npt.NDArray[np.intp]:
    """From the first frame on, each time the one that begins nearest to `apart_s` after the one before, up to the last.

    Of those that others refer to, if one begins within twice that; else the one on screen.
    """
    chosen = [first]
    begins = seconds[referred]
    while chosen[-1] < last:
        due = seconds[chosen[-1]] + apart_s
        place = int(np.searchsorted(begins, due))
        near = [referred[k] for k in (place - 1, place) if 0 <= k < len(referred) and chosen[-1] < referred[k] <= last]
        near = [k for k in near if seconds[k] < due + apart_s + TOLERANCE_S]
        if near:
            chosen.append(int(min(near, key=lambda k: abs(seconds[k] - due - TOLERANCE_S))))
        else:
            shown = int(np.searchsorted(seconds, due + TOLERANCE_S, "right")) - 1
            chosen.append(min(max(shown, chosen[-1] + 1), last))
    return np.array(chosen, np.intp)
