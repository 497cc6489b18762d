"""What a player shows of a coded frame: upright by its display matrix, with square pixels by its pixel aspect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..contract.errors import ClipError, Reason

_Pixel = TypeVar("_Pixel", bound=np.generic)

_FLIPS = {  # (turns, mirrored) -> FFmpeg's filters, with their options
    (0, False): [],
    (0, True): [("hflip", "")],
    (1, False): [("transpose", "clock")],
    (1, True): [("transpose", "cclock_flip")],
    (2, False): [("hflip", ""), ("vflip", "")],
    (2, True): [("vflip", "")],
    (3, False): [("transpose", "cclock")],
    (3, True): [("transpose", "clock_flip")],
}
_SKEWED = math.tan(math.radians(1))  # FFmpeg, too, takes a turn within one degree of a quarter for a quarter
_ALL_TYPES = 64  # FFmpeg's kinds of side data: 33 as of its version 8


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a coded picture comes upright: turned clockwise by quarter `turns` (0 to 3), then mirrored left to right."""

    turns: int = 0
    mirrored: bool = False

    @property
    def sideways(self) -> bool:
        """Whether width and height change places."""
        return self.turns % 2 == 1

    def upright(self, image: npt.NDArray[_Pixel]) -> npt.NDArray[_Pixel]:
        """A view of (h, w, ...)."""
        turned = np.rot90(image, k=-self.turns)
        return turned[:, ::-1] if self.mirrored else turned

    def filters(self) -> list[tuple[str, str]]:
        """The same by FFmpeg's filters: names and options."""
        return _FLIPS[self.turns, self.mirrored]


def orientation_of(frame: VideoFrame) -> Orientation:
    """By the frame's display matrix. Raises ClipError (refused) for a turn that is no quarter."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV lists no side data of a frame that has a kind unknown to it, such as EXIF
        data = _known_only(frame).side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return Orientation()
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).astype(np.float64).tolist()  # (x, y) -> (ax + cy, bx + dy)
    if not (a or b) or not (c or d):  # nothing would be left of the picture: FFmpeg ignores such a matrix
        return Orientation()
    kept, swapped = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) <= _SKEWED * kept:
        return Orientation(0 if d > 0 else 2, a * d < 0)
    if max(abs(a), abs(d)) <= _SKEWED * swapped:
        return Orientation(1 if b > 0 else 3, b * c > 0)
    degrees = round(math.degrees(math.atan2(b, a)))
    raise ClipError(
        Reason.REFUSED, f"its display matrix turns the picture by {degrees} degrees; quarter turns are read"
    )


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Width of a pixel divided by its height: the container's, else the codec's; 1 where neither has one."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect is not None and aspect > 0 else Fraction(1)


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """(width, height) with square pixels of a picture with pixels of this aspect, before it is turned upright.

    The side that is too short is stretched to the nearest even number; nothing shrinks, and what would grow by less
    than a pixel stays.
    """
    return (_stretched(width, aspect), height) if aspect > 1 else (width, _stretched(height, 1 / aspect))


def _stretched(side: int, factor: Fraction) -> int:
    return 2 * round(side * factor / 2) if side * factor >= side + 1 else side


def _known_only(frame: VideoFrame) -> VideoFrame:
    graph = Graph()
    graph.threads = 1
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))]
    strange = sorted({*range(_ALL_TYPES)} - {kind.value for kind in Type})
    nodes += [graph.add("sidedata", f"mode=delete:type={kind}") for kind in strange]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()
