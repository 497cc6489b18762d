"""Interlaced video: told from its flags and from its frames, and its combing taken away.

A frame of interlaced video holds two moments, one in its even and one in its odd lines. What moves has combed edges
there, and one who measures or trains on such frames learns combs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from .packets import Span
from .reader import TOLERANCE_S, Reader

_PLACES, _RUN = 3, 5  # runs of frames that are looked at; five frames are a whole cycle of film on 60 fields a second
_PROGRESSIVE = 1  # AVFieldOrder; larger ones are interlaced, 0 is unknown
_COLUMNS = 160  # that each line of a frame is thinned out to
_MOVED, _MOVES = 10, 0.003  # levels by which a pixel that moves differs from the frame before; the share that must move
_COMBED, _SMOOTH = 1.2, 0.95  # see `_combing`
_SURE, _ENOUGH = 2, 6  # frames; the second at two places

_Lines = npt.NDArray[np.int16]
Shown = tuple[int, int, int, VideoFrame]
"""What `frames.on_screen` yields: its last part is the frame."""


def runs(span: Span, *, start: float, end: float) -> list[list[int]]:
    """Timestamps of neighbouring frames from up to three key frames of a clip on, the first of them or what is before.

    Key frames, as there is little to be decoded for the frames after them.
    """
    screen = span.screen()
    seconds = span.seconds(screen)
    inside = (seconds >= start - TOLERANCE_S) & (seconds < end - TOLERANCE_S)
    keys = [int(pts) for pts in span.pts[span.keys & span.shown] if pts in screen[inside]]
    chosen = sorted({keys[place * len(keys) // _PLACES] for place in range(_PLACES)}) if keys else []
    starts = screen.searchsorted(chosen).tolist()
    return [screen[first : first + _RUN].tolist() for first in starts]


def is_interlaced(reader: Reader, frames: Iterable[tuple[int, VideoFrame]], places: Sequence[Sequence[int]]) -> bool:
    """Whether the frames of `runs` are interlaced. `frames`: with their timestamps, in order.

    Those flagged so are (by the container, the codec or a frame itself), unless they move and none is combed; those not
    flagged are if some are combed.
    """
    flagged = reader.stream.codec_context.field_order > _PROGRESSIVE
    place_of = {pts: index for index, run in enumerate(places) for pts in run}
    combed = smooth = 0
    before: tuple[int | None, _Lines] | None = None
    for pts, frame in frames:
        flagged = flagged or frame.interlaced_frame
        place, lines = place_of.get(pts), _lines(frame)
        if before is not None and place is not None and before[0] == place and before[1].shape == lines.shape:
            combing = _combing(before[1], lines)
            combed += combing > _COMBED
            smooth += 0 < combing < _SMOOTH
            if smooth >= _ENOUGH and not (combed or flagged):
                break
        before = place, lines
    if flagged:
        return combed > 0 or smooth < _SURE
    return combed >= _SURE and 2 * combed > smooth


def _lines(frame: VideoFrame) -> _Lines:
    """Every line of a frame in grey, thinned out from left to right."""
    width = min(frame.width, _COLUMNS)
    grey = frame.reformat(width=width, format="gray", interpolation=Interpolation.POINT, threads=1)
    return grey.to_ndarray().astype(np.int16)


def _combing(before: _Lines, lines: _Lines) -> float:
    """Where the picture has moved: how much lines differ from their neighbours, over how much these differ.

    In a picture of one moment lines differ the more the farther apart they are: it is near 0.5. In a combed one the
    neighbours are of another moment. 0 where too little moves.
    """
    middle, above, below = lines[1:-1], lines[:-2], lines[2:]
    moved = np.abs(middle - before[1:-1]) > _MOVED
    if moved.sum() < _MOVES * moved.size:
        return 0.0
    own = (np.abs(middle - above) + np.abs(middle - below))[moved].sum(dtype=np.int64) / 2
    return float(own / max(1, np.abs(above - below)[moved].sum(dtype=np.int64)))


def one_field(frame: VideoFrame) -> VideoFrame:
    """The even lines of a frame: a picture of one moment, of half the height."""
    graph = _graph(frame, ("field", "type=top"))
    graph.vpush(frame)
    return graph.vpull()


def deinterlaced(shown: Iterable[Shown]) -> Iterator[Shown]:
    """As many frames as come, in order, by FFmpeg's bwdif: the first field stays, the other is made from both."""
    waiting: list[Shown] = []
    graph: Graph | None = None
    form: tuple[int, int, str] | None = None
    for one in shown:
        frame = one[3]
        if form != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _rest(graph, waiting)
            form = frame.width, frame.height, frame.format.name
            finder = [] if frame.interlaced_frame else [("idet", "")]  # without flags: which field is the first
            graph = _graph(frame, *finder, ("bwdif", "mode=send_frame:parity=auto:deint=all"))
        assert graph is not None
        waiting.append(one)
        graph.vpush(frame)
        yield from _ready(graph, waiting)
    if graph is not None:
        yield from _rest(graph, waiting)


def _rest(graph: Graph, waiting: list[Shown]) -> Iterator[Shown]:
    graph.vpush(None)
    yield from _ready(graph, waiting)


def _ready(graph: Graph, waiting: list[Shown]) -> Iterator[Shown]:
    for frame in _pulled(graph):
        first, stop, pts, _ = waiting.pop(0)
        yield first, stop, pts, frame


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _graph(frame: VideoFrame, *filters: tuple[str, str]) -> Graph:
    graph = Graph()
    graph.threads = 1
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))]
    nodes += [graph.add(name, options) for name, options in filters]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph
