"""How much each frame differs from those before it, by FFmpeg's own filters, in one pass over all frames of a clip."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..builder.contract.errors import ClipError, Reason
from ..builder.contract.frames import Images, Reducer, Sampling

_SAME = 0.001
"""Mean difference of two frames that are the same, 1.0 from black to white: the default of `freezedetect`, -60 dB."""
_MOTION, _LASTED = "lavfi.vmafmotion.score", "lavfi.freezedetect.freeze_duration"


@dataclass(frozen=True, slots=True)
class PictureChange:
    """Of each frame: its VMAF motion, 0 of the first; and how many frames show the same from this one on, where that is
    the first of at least two, else 0.
    """

    def begin(self) -> Reducer:
        return _Change()


CHANGES = Sampling(every_frame=True, long_side_px=None, reduce=PictureChange())
"""As large as the file has them: VMAF motion of smaller pictures is another number."""


class _Change:
    """Frames are numbered instead of timed, so that it does not matter how long each is on screen. Two are the least
    for `freezedetect`: asked for one, it calls every frame frozen.
    """

    def __init__(self) -> None:
        from av.filter import Graph
        from av.video.frame import VideoFrame

        self._frame_of = VideoFrame.from_ndarray
        self._graph = Graph()  # to be kept: its filters do not keep it
        self._graph.threads = 1
        self._motion: list[float] = []
        self._lasted: list[float] = []
        self._latest: Images | None = None

    def add(self, image: Images) -> None:
        if self._latest is None:
            self._begin(image.shape[1], image.shape[0])
        self._motion.append(float(self._told(image)[_MOTION]))
        self._latest = image

    def end(self) -> npt.NDArray[np.float64]:
        if self._latest is not None:  # what stands until the end is told of when another frame comes: the opposite
            self._told(np.full_like(self._latest, 0 if self._latest.mean() > 127 else 255))
        return np.array([self._motion, self._lasted[: len(self._motion)]], np.float64).T

    def _told(self, image: Images) -> dict[str, str]:
        """What the filters say of a frame."""
        frame = self._frame_of(image, format="rgb24")
        frame.pts, frame.time_base = len(self._lasted), Fraction(1)
        self._source.push(frame)
        told = self._sink.pull().metadata
        if lasted := float(told.get(_LASTED, 0)):
            self._lasted[-int(lasted)] = lasted
        self._lasted.append(0.0)
        return told

    def _begin(self, width: int, height: int) -> None:
        from av import FFmpegError
        from av.video.format import VideoFormat

        try:
            self._source = self._graph.add_buffer(
                width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1)
            )
            self._sink = self._graph.add("buffersink")
            named = (("format", "yuv420p"), ("vmafmotion", None), ("freezedetect", f"n={_SAME}:d=2"))
            filters = [self._graph.add(name, options) for name, options in named]
            self._graph.link_nodes(self._source, *filters, self._sink).configure()
        except (FFmpegError, ValueError) as error:
            detail = f"frames of {width}x{height} pixels cannot be measured: {error}"
            raise ClipError(Reason.DECODE_ERROR, detail) from None
