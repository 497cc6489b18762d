"""Which packets need not be decoded to get the wanted frames exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .packets import Reader, Span

_NEVER_REFERRED_TO = frozenset({"h264", "mpeg4", "mpeg1video", "mpeg2video", "vp8"})


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


def may_skip(reader: Reader) -> bool:
    """Whether frames that the decoder takes for unreferenced truly are, so that leaving them out changes no other.

    In HEVC a frame may be unreferenced within its temporal layer only; the header (hvcC) counts the layers.
    """
    context = reader.stream.codec_context
    name = context.codec.canonical_name
    if name == "hevc":
        header = context.extradata or b""
        return len(header) > 21 and header[0] == 1 and (header[21] >> 3) & 7 == 1
    return name in _NEVER_REFERRED_TO
