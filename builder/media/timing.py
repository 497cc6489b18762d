"""A clip is whole frames: where it begins and ends, how many frames it has, and at which rate.

A corpus asks for times; frames are published. Start and end go to the nearest edge between two frames (of two that are
equally near to the earlier), so that clips which share a time share an edge, and no frame is in both. A clip that would
have no frame is the frame on screen at its start. Every frame keeps its full duration, but for one that stands longer
than `longest_s` (a slide): of that the clip has what was asked for.

A rate is constant if every frame begins where the rate puts it, within a tick of the file or a millisecond: then the
clip lasts frames / rate, to the tick, and its rate is that fraction. Otherwise it is variable, and the rate is the
average, frames / duration. So frames = round(duration * rate) in either case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .moments import positions
from .packets import Span
from .reader import TOLERANCE_S, Reader

_STANDS_S = 0.5
_SAME_S = 1e-6  # what floats are off by
_LAST_S = 0.1
_EXACT = 1_000_000  # the largest denominator of a duration: what is not a rate of ticks is told to the microsecond
_COMMON = 1001  # the largest denominator of a rate


@dataclass(frozen=True, slots=True)
class Timing:
    """The frames of a clip. `start`, `end` in seconds of the media file; the end is start + frames / rate."""

    start: float
    end: float
    frames: int
    rate: Fraction
    variable: bool

    @property
    def duration(self) -> float:
        return float(self.frames / self.rate)


def timing(reader: Reader, span: Span, *, start: float, end: float) -> Timing:
    """The whole frames of a clip that is asked for from `start` to `end`, which the span must reach beyond."""
    if not span.complete:
        return _on_grid(reader, start=start, end=end)
    starts = span.seconds(span.screen())
    edges = starts if span.media_end is None else np.append(starts, max(span.media_end, starts[-1] + span.time_base))
    begin, finish = _snapped(edges, start, end, longest=longest_s(reader))
    shown = starts[positions(starts, np.array([0.0, finish - begin]), start=begin, end=finish)]
    inside = starts[(starts >= shown[0]) & (starts <= shown[-1])]
    times = np.append(np.maximum(inside, begin), finish) - begin
    at_end = finish == span.media_end and len(inside) > 1
    for rate in _rates(reader, times):
        if _fits(times, float(rate), tick_s=span.time_base, at_end=at_end):
            return Timing(begin, begin + len(inside) / float(rate), len(inside), rate, False)
    lasts = Fraction(finish - begin).limit_denominator(_EXACT)
    return Timing(begin, finish, len(inside), len(inside) / lasts, True)


def screen_times(span: Span, timing: Timing) -> list[int]:
    """The timestamp of each frame of a clip: from the one on screen at its start to the last before its end.

    Where packets have no times: of what is on screen in the middle of each frame's time.
    """
    if not span.complete:
        middles = timing.start + (np.arange(timing.frames) + 0.5) / float(timing.rate)
        return [span.pts_at(middle) for middle in middles.tolist()]
    screen = span.screen()
    edges = np.array([0.0, timing.end - timing.start])
    ends = positions(span.seconds(screen), edges, start=timing.start, end=timing.end)
    return [int(pts) for pts in screen[ends[0] : ends[-1] + 1]]


def longest_s(reader: Reader) -> float:
    """Seconds that a frame may last and still count as one of a running picture."""
    return max(_STANDS_S, 1.5 * reader.frame_s())


def _snapped(edges: npt.NDArray[np.float64], start: float, end: float, *, longest: float) -> tuple[float, float]:
    begin, finish = (_nearest(edges, time, longest) for time in (start, end))
    if finish - begin > TOLERANCE_S:
        return begin, finish
    first = max(0, int(np.searchsorted(edges, start + TOLERANCE_S, "right")) - 1)
    return (float(edges[first]), float(edges[first + 1])) if first + 1 < len(edges) else (start, end)


def _nearest(edges: npt.NDArray[np.float64], time: float, longest: float) -> float:
    """Beyond the last edge there is a frame of which only the beginning was read: it is longer."""
    after = int(np.searchsorted(edges, time - TOLERANCE_S))
    if after == 0 or (after < len(edges) and edges[after] <= time + TOLERANCE_S):
        return float(edges[after])
    if after == len(edges) or edges[after] - edges[after - 1] > longest:
        return time
    nearer = edges[after] - time < time - edges[after - 1] - _SAME_S
    return float(edges[after] if nearer else edges[after - 1])


def _rates(reader: Reader, times: npt.NDArray[np.float64]) -> Iterator[Fraction]:
    """What the rate may be: what the file says, then the usual rates near what is seen."""
    seen = Fraction((len(times) - 2) / (times[-2] - times[0]) if len(times) > 2 else 1 / times[-1])
    usual = (Fraction(round(seen)), Fraction(round(seen) * 1000, 1001))
    for rate in (reader.stream.guessed_rate, reader.stream.average_rate, *usual, seen):
        common = (rate or Fraction(0)).limit_denominator(_COMMON)
        if common > 0:
            yield common


def _fits(times: npt.NDArray[np.float64], rate: float, *, tick_s: float, at_end: bool) -> bool:
    """Whether frames begin where the rate puts them, and end there. Files often get their last duration wrong."""
    off = np.abs(times - np.arange(len(times)) / rate)
    tolerance = min(max(tick_s, 0.001) * 1.01, 0.5 / rate)
    last = min(_LAST_S, 0.5 / rate) if at_end else 0.0
    return bool((off[:-1] <= tolerance).all() and off[-1] <= max(tolerance, last))


def _on_grid(reader: Reader, *, start: float, end: float) -> Timing:
    """Where packets have no times: frames at the rate that the file says, whatever is on screen then."""
    rate = Fraction(1 / reader.frame_s()).limit_denominator(_COMMON) or Fraction(1)
    first = round(start * rate)
    frames = max(1, round(end * rate) - first)
    return Timing(float(first / rate), float((first + frames) / rate), frames, rate, False)
