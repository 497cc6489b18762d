"""A clip's picture as its packets are: what a copy without re-encoding takes from a file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..contract.errors import ClipError, Reason
from .packets import Span
from .reader import Reader
from .timing import Timing
from .user_data import blanked, nal_format

_CODECS = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"})  # what mp4 holds as it is


def is_copied(span: Span, *, whole: bool, codec: str) -> bool:
    """Whether a clip's packets go into an mp4 as they are, and every reader sees there what their file shows.

    Frames that an edit list hides after the last one that is shown are left off. Where one before it is hidden, the
    clip is encoded: readers that know nothing of edit lists (decord, OpenCV) would show it.
    """
    if not (whole and codec in _CODECS and span.complete):
        return False
    kept = _kept(span)
    return bool(span.shown[:kept].all()) and len(np.unique(span.pts[:kept])) == kept > 0


def copy_picture(
    output: OutputContainer, reader: Reader, span: Span, *, timing: Timing, codec: str
) -> Iterator[Packet[VideoStream]]:
    """The packets, the first frame that is shown at zero; at a constant rate all are timed by that, to the tick.

    Decoding times are made from the times on screen: Matroska stores none, and FFmpeg leaves some open.
    """
    kept = _kept(span)
    order = np.argsort(span.pts[:kept], kind="stable")
    rank = np.argsort(order, kind="stable")
    if timing.variable:
        time_base = reader.stream.time_base or Fraction(1, 1000)
        step = max(1, round(reader.frame_s() / time_base))
        ends = [round(timing.duration / time_base)]
        times = [int(pts) - span.zero for pts in span.pts[:kept][order]] + ends
    else:
        time_base, step = Fraction(1, timing.rate.numerator), timing.rate.denominator
        times = [at * step for at in range(kept + 1)]
    delay = int((np.arange(kept) - rank).max())
    packets = reader.packets(span.origin)
    copy = output.add_stream_from_template(reader.stream, opaque=True)  # after packets(): it may open the file anew
    copy.time_base = time_base
    sent = 0
    form = nal_format(codec, reader.stream.codec_context.extradata)
    for index, packet in enumerate(islice(packets, kept)):
        at, late = int(rank[index]), index - delay
        packet = blanked(packet, form)
        packet.pts, packet.duration = times[at], max(1, times[at + 1] - times[at])
        packet.dts = times[late] if late >= 0 else times[0] + late * step
        packet.time_base, packet.stream = time_base, copy
        yield packet
        sent = index + 1
    if sent < kept:
        raise ClipError(Reason.UNREADABLE, "the file ended early: it changed since it was measured")


def _kept(span: Span) -> int:
    """How many packets there are up to the last that is shown."""
    return int(np.flatnonzero(span.shown)[-1]) + 1 if span.shown.any() else 0
