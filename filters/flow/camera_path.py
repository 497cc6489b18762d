"""Where the camera looks over a clip, followed from frame to frame, about ten frames a second.

What stands behind people and things is followed: the edges of the picture weigh more than its middle (`_align`). A few
pairs of frames that cannot be followed are bridged. And what was followed is checked by what is seen again: where a
later frame shows the scene of the first one, that says how far the camera went, whatever passed before it in between.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

import numpy as np
import numpy.typing as npt

from ...builder.contract.frames import Frames, Sampling
from .align import align
from .cuts import Pair, View, breaks, pair_of, unchanged
from .flow import TRUSTED_FIT, WORK_PX, small_pictures
from .levels import STILL, Similarity

PATH_FRAMES = Sampling(every_s=0.1, loose=True, long_side_px=WORK_PX)

EDGE = 8 / 9
"""Short sides from the middle to the edge of a 16:9 picture: zoom and roll count by what they do there."""

_BRIDGED = 0.6  # fit of the frames on both sides of a gap, where they show one scene
_SEEN_AGAIN = 0.25  # share of the blocks that are the same, where a scene is seen again
_APART = 0.1  # short sides by which the path and what is seen again contradict each other
_LOOKS = 8  # frames that are then compared with the first, evenly over the clip

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Path:
    """Where the camera looks, from the first frame that shows something, which is 0, to the last such."""

    places: Floats
    """(n, 4): short sides to the right and up, natural logarithm of the magnification, roll (radians, content's)."""
    lost: float
    """Share of the pairs of frames that could not be followed; the movement goes on evenly there."""
    cuts: int


def path_of(frames: Frames) -> Path | None:
    """The path; None where fewer than half of the pairs of frames have anything to follow."""
    pictures, factor = small_pictures(frames)
    views = [View(picture) for picture in pictures]
    pairs = _followed(views, np.diff(frames.times))
    seen = np.flatnonzero([not math.isnan(pair.fit) for pair in pairs])
    if len(seen) < max(0.5 * len(pairs), 1):
        return None
    first, last = int(seen[0]), int(seen[-1])  # flat frames at the ends (fades from and to black) are left out
    views, pairs, seconds = views[first : last + 2], pairs[first : last + 1], np.diff(frames.times)[first : last + 1]
    broken, cuts = breaks(views, pairs)
    moves, lost, parted = _bridged(views, pairs, broken)
    unit = factor / min(frames.images[0].shape[:2])
    steps = np.array([_step(move, unit) for move in moves])
    if lost.any() and not lost.all():
        kept = np.cumsum(seconds)[~lost], steps[~lost] / seconds[~lost, None]
        steps[lost] = np.stack([np.interp(np.cumsum(seconds)[lost], kept[0], way) for way in kept[1].T], axis=1)
        steps[lost] *= seconds[lost, None]
    places = np.vstack([np.zeros(4), steps.cumsum(axis=0)])
    if not cuts and not parted:
        places = _checked(views, places, reduce(_then, moves), unit)
    return Path(places, float(lost.mean()), cuts + parted)


def _followed(views: Sequence[View], seconds: Floats) -> list[Pair]:
    """From each frame to the next. One that is as the last different one costs next to nothing, and adds no drift."""
    pairs: list[Pair] = []
    before, different = STILL, views[:1]
    for place, view in enumerate(views[1:]):
        if place:
            ratio = seconds[place] / seconds[place - 1]
            before = Similarity(before.m**ratio, before.t * ratio)
        pair = unchanged(different[0], view)
        if pair is None:
            move = align(different[0].levels, view.levels, before=before, surroundings=True)
            pair = pair_of(different[0], view, move)
            different = [view]
        before = pair.move if pair.fit >= TRUSTED_FIT else STILL
        pairs.append(pair)
    return pairs


def _bridged(
    views: Sequence[View], pairs: Sequence[Pair], broken: npt.NDArray[np.bool_]
) -> tuple[list[Similarity], npt.NDArray[np.bool_], int]:
    """The movements, which of them are lost, and how often the picture goes flat and another scene comes after it.

    A gap is bridged where the frames on both sides of it show the same scene: a flash, a damaged frame.
    """
    moves = [pair.move for pair in pairs]
    lost = broken | np.array([not pair.fit >= TRUSTED_FIT for pair in pairs])
    parted = 0
    for is_lost, places in groupby(range(len(pairs)), key=lost.tolist().__getitem__):
        gap = list(places)
        if is_lost and len(gap) > 1:
            one, other = views[gap[0]], views[gap[-1] + 1]
            across = pair_of(one, other, align(one.levels, other.levels, surroundings=True))
            if across.fit >= _BRIDGED:
                part = Similarity(across.move.m ** (1 / len(gap)), across.move.t / len(gap))
                for place in gap:
                    moves[place], lost[place] = part, False
            else:
                parted += any(math.isnan(pairs[place].fit) for place in gap)
    return moves, lost, parted


def _checked(views: Sequence[View], places: Floats, whole: Similarity, unit: float) -> Floats:
    """The path, or, where the last frame shows the first one's scene at another place than the path says, what is seen.

    A thing that fills the picture for a while is followed as if the camera moved; the scene behind it, seen before and
    after it, says that it did not.
    """
    end = _again(views[0], views[-1], unit, starts=(STILL, whole))
    if end is None or np.abs((end - places[-1]) * (1, 1, EDGE, EDGE)).max() <= _APART:
        return places
    looks = [views[round(k * (len(views) - 1) / _LOOKS)] for k in range(1, _LOOKS)]
    between = [_again(views[0], look, unit, starts=(STILL,)) for look in looks]
    return np.array([np.zeros(4), *(place for place in between if place is not None), end])


def _again(first: View, later: View, unit: float, *, starts: Sequence[Similarity]) -> Floats | None:
    """Where the camera looks when it sees the first frame's scene again; None where it does not."""
    pairs = [
        pair_of(first, later, align(first.levels, later.levels, before=start, surroundings=True)) for start in starts
    ]
    best = max(pairs, key=lambda pair: np.nan_to_num(pair.same))
    return _step(best.move, unit) if best.fit >= TRUSTED_FIT and best.same >= _SEEN_AGAIN else None


def _step(move: Similarity, unit: float) -> Floats:
    """How the camera moves where the picture does so, at the middle of the picture and halfway."""
    halfway = move.t / cmath.sqrt(move.m) * unit
    return np.array([-halfway.real, halfway.imag, math.log(abs(move.m)), cmath.phase(move.m)])


def _then(first: Similarity, second: Similarity) -> Similarity:
    return Similarity(second.m * first.m, second.m * first.t + second.t)
