"""The opt-in decoder decord2: the same frames as `video.decode`, through another library, or a refusal.

One thread: with `num_threads=0` it hangs. It applies rotation itself but no mirroring, gives HDR as if it were none (8
bits), and weaves fields. Its timestamps (float32) count from the video's first one. The file is opened by
`media.open_media` first, which refuses anything but plain containers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from ..contract.errors import ClipError, Reason, RunError
from ..contract.frames import Frames, Sampling
from .container import media_errors
from .images import collect
from .moments import positions, wanted_times
from .reader import TOLERANCE_S, Reader
from .shown import orientation_of, pixel_aspect
from .tones import needs_mapping


def decode(
    path: str,
    *,
    start: float,
    end: float,
    samplings: Sequence[Sampling],
    max_pixels: int,
    max_frames: int,
    interlaced: bool,
) -> dict[Sampling, Frames]:
    """As `video.decode`. Raises RunError where decord is not installed, ClipError (refused) for what it cannot show."""
    library = _library()
    _check(interlaced, what="interlaced video")
    with Reader(path, max_pixels=max_pixels) as reader:
        size, frame_s = {reader.stream.width, reader.stream.height}, reader.frame_s()
        aspect = pixel_aspect(reader.stream)
        for frame in _first(reader):
            orientation = orientation_of(frame)
            _check(orientation.mirrored, what="mirrored video")
            _check(needs_mapping(frame), what="HDR or a wide gamut")
            aspect = 1 / aspect if orientation.sideways else aspect  # its frames are upright
    times = {sampling: wanted_times(sampling, end - start) for sampling in samplings}
    try:
        video = library.VideoReader(path, num_threads=1)
        begins = np.asarray(video.get_frame_timestamp(range(len(video))), np.float64)[:, 0]
        hidden = int(np.searchsorted(begins, -TOLERANCE_S))  # an edit list's: before zero
        seconds = begins[hidden:]
        within = int(np.count_nonzero((seconds >= start) & (seconds < end)))
        if within > max_frames:
            raise ClipError(Reason.LIMIT, f"max_frames: {within} > {max_frames}")
        at = {sampling: positions(seconds, of, start=start, end=end) for sampling, of in times.items()}
        indices = np.unique(np.concatenate([*at.values(), np.empty(0, np.intp)]))
        return collect(
            _shown(video, indices + hidden, seconds[indices] - start, size=size),
            moments=(seconds[indices] - start).tolist(),
            members={sampling: np.searchsorted(indices, of) for sampling, of in at.items()},
            seconds=end - start,
            frame_s=frame_s,
            aspect=aspect,
        )
    except (library.DECORDError, RuntimeError, IndexError):
        raise ClipError(Reason.DECODE_ERROR, "decord cannot decode it") from None


def _first(reader: Reader) -> Iterator[VideoFrame]:
    with media_errors(Reason.DECODE_ERROR, "cannot be decoded"):
        yield from islice(reader.container.decode(reader.stream), 1)


def _check(strange: bool, *, what: str) -> None:
    if strange:
        raise ClipError(Reason.REFUSED, f"decord does not show {what} as it is; use `decoder: pyav`")


def _shown(
    video: Any, indices: npt.NDArray[np.float64], times: npt.NDArray[np.float64], *, size: set[int]
) -> Iterator[tuple[int, int, float, VideoFrame]]:
    for spot, (index, time) in enumerate(zip(indices.tolist(), times.tolist(), strict=True)):
        padded = video[index].asnumpy()
        height, width = padded.shape[:2]
        if {height, width} != size:
            raise ClipError(Reason.DECODE_ERROR, "decord takes another of the file's video streams")
        # Its rows are padded, and where the padding is wide it passes for more channels: 96 pixels come as (h, 96, 4).
        image = np.ascontiguousarray(padded.reshape(height, -1)[:, : width * 3]).reshape(height, width, 3)
        yield spot, spot + 1, time, VideoFrame.from_ndarray(image, format="rgb24")


def _library() -> Any:
    try:
        import decord
    except ImportError:
        raise RunError("decoder: decord is not installed; `pip install shotscribe[decord]`, or leave it out") from None
    return decord
