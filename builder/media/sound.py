"""The sound of a cut: the best audio stream of a file, on the clock of its video.

It is read through a container of its own, so that neither picture nor sound waits for the other in a file that is badly
interleaved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard

from ..contract.errors import Reason
from .container import media_errors, open_media

_Samples = npt.NDArray[np.float32]

_COPIED = frozenset({"aac", "mp3", "opus", "ac3", "eac3"})  # what mp4 holds and players play
_RATES = frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000})  # of AAC
_BIT_RATE = 96_000  # for each channel
_BEFORE_S = 0.5  # decoding starts this much earlier: the first blocks after a seek are not clean
_PREROLL_S = 0.1  # of packets kept before the picture's start: what codecs need to get going (Opus: 80 ms)
_JITTER_S = 0.05  # a timestamp this far from the count of samples is a rounding; more is a gap or an overlap
_AT_ONCE = 48_000  # samples of silence


@dataclass(frozen=True, slots=True)
class Sound:
    """A clip's sound as it is published: samples a second, channels, and whether its packets are copied."""

    rate: int
    channels: int
    copied: bool


def best_sound(container: InputContainer) -> AudioStream | None:
    """The audio stream that players open; None where there is none that can be decoded."""
    best = container.streams.best("audio")
    known = isinstance(best, AudioStream) and best.time_base and best.codec_context and best.codec_context.sample_rate
    return best if isinstance(best, AudioStream) and known and best.codec_context.channels else None


def sound_of(stream: AudioStream | None, *, copied: bool) -> Sound | None:
    """What becomes of a file's sound where its picture is, or is not, copied.

    Packets are copied beside a copied picture if mp4 holds their codec. Else it is AAC: mono stays mono, more channels
    become stereo; the rate is kept where AAC has it, else it is 48 kHz.
    """
    if stream is None:
        return None
    context = stream.codec_context
    if copied and context.codec.canonical_name in _COPIED:
        return Sound(context.sample_rate, context.channels, True)
    return Sound(context.sample_rate if context.sample_rate in _RATES else 48_000, min(2, context.channels), False)


@contextmanager
def open_sound(path: str) -> Iterator[AudioStream | None]:
    """The sound of a file, open for reading."""
    with open_media(path) as container:
        stream = best_sound(container)
        for other in container.streams:
            if stream is None or other.index != stream.index:
                other.discard = Discard.all
        yield stream


def copy_sound(
    output: OutputContainer, stream: AudioStream, *, begin_s: float, seconds: float
) -> Iterator[Packet[AudioStream]]:
    """The packets as they are, `begin_s` becoming zero, for so many seconds: the last one's duration is cut.

    What lies before zero is hidden by an edit list.
    """
    copy: AudioStream | None = None
    for packet in _packets(stream):
        if packet.pts is None or packet.dts is None or not packet.size:
            continue
        time_base = packet.time_base
        shift, end = round(begin_s / time_base), round(seconds / time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        if packet.pts >= end:
            return
        if packet.pts + (packet.duration or 0) <= -_PREROLL_S / time_base:
            continue
        packet.duration = min(packet.duration or 0, end - packet.pts)
        copy = copy or output.add_stream_from_template(stream)
        packet.stream = copy
        yield packet


def encode_sound(
    output: OutputContainer, stream: AudioStream, *, sound: Sound, begin_s: float, seconds: float, seek: bool
) -> Iterator[Packet[AudioStream]]:
    """AAC from `begin_s` on the container's clock, exactly `seconds` long: silence where nothing was or can be decoded.

    `seek`: whether seeking in this container can be trusted.
    """
    rate, channels = sound.rate, sound.channels
    layout = "mono" if channels == 1 else "stereo"
    made = output.add_stream("aac", rate=rate, layout=layout, bit_rate=_BIT_RATE * channels)
    made.codec_context.flags |= Flags.bitexact
    made.codec_context.thread_count = 1
    at = 0
    blocks = blocks_from(stream, rate=rate, layout=layout, begin_s=begin_s, seek=seek)
    for samples in timeline(blocks, rate=rate, channels=channels, total=round(seconds * rate)):
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), at
        at += samples.shape[1]
        yield from made.encode(frame)
    yield from made.encode(None)


def timeline(
    blocks: Iterable[tuple[int | None, _Samples]], *, rate: int, channels: int, total: int
) -> Iterator[_Samples]:
    """Exactly `total` samples, from blocks (position of the first sample, or None: after the block before; samples)."""
    at = expected = 0
    for position, samples in blocks:
        first = expected if position is None else position
        if at and abs(first - expected) <= _JITTER_S * rate:
            first = expected
        expected = first + samples.shape[1]
        yield from _silence(min(first, total) - at, channels)
        at = max(at, min(first, total))
        part = samples[:, at - first : total - first] if first < total else samples[:, :0]
        if part.shape[1]:
            yield part
            at += part.shape[1]
        if at >= total:
            return
    yield from _silence(total - at, channels)


def _silence(samples: int, channels: int) -> Iterator[_Samples]:
    for done in range(0, samples, _AT_ONCE):
        yield np.zeros((channels, min(_AT_ONCE, samples - done)), np.float32)


def blocks_from(
    stream: AudioStream,
    *,
    rate: int,
    layout: str,
    begin_s: float,
    seek: bool,
    lost: Callable[[Packet[AudioStream]], None] | None = None,
) -> Iterator[tuple[int | None, _Samples]]:
    """What can be decoded, resampled: position counted in samples from `begin_s`, and the samples (channels, n).

    `seek`: whether seeking in this container can be trusted. `lost` is told each packet that gives nothing.
    """
    if seek and begin_s > _BEFORE_S:
        with media_errors(Reason.UNREADABLE, "cannot seek"):
            _container(stream).seek(int((begin_s - _BEFORE_S) * av.time_base))
    resamplers: dict[tuple[str, str, int], AudioResampler] = {}  # the form may change within a stream
    for packet in _packets(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if lost:
                lost(packet)
            continue
        if lost and packet.size and not frames:
            lost(packet)
        for frame in frames:
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = resamplers.setdefault(form, AudioResampler(format="flt", layout=layout, rate=rate))
            for block in resampler.resample(frame):
                samples = np.nan_to_num(unpacked(block), posinf=1.0, neginf=-1.0)
                time = None if block.pts is None or block.time_base is None else block.pts * block.time_base
                yield None if time is None else round((float(time) - begin_s) * rate), samples


def unpacked(frame: AudioFrame) -> _Samples:
    """The samples of a frame of packed floats, (channels, n). Of planes PyAV reads too many from eight channels on."""
    packed = frame.to_ndarray().astype(np.float32, copy=False)
    return np.ascontiguousarray(packed.reshape(-1, frame.layout.nb_channels).T)


def _packets(stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    with media_errors(Reason.UNREADABLE, "cannot be read"):
        try:
            yield from _container(stream).demux(stream)
        except av.InvalidDataError:
            return  # a truncated file: what was read before is good


def _container(stream: AudioStream) -> InputContainer:
    container = stream.container
    if not isinstance(container, InputContainer):
        raise TypeError(f"{container!r} is not open for reading")
    return container
