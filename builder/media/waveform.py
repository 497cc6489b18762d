"""Decoding the sound of a clip for the steps that measure it: one pass over its audio stream, in bounded memory.

It is the stream that is published (`sound.py`), with the channels and the rate that the file has. Zero is the clip's
first frame: before a stream that starts late there is silence, and so there is after one that ends early.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet

from ..contract.errors import ClipError, Reason
from ..contract.limits import Decode
from ..contract.sound import Samples, SoundSampling, Waveform
from .container import media_errors
from .frames import LOST_S
from .packets import zero_s
from .reader import Reader
from .sound import blocks_from, open_sound, timeline, unpacked

MAX_BYTES = 2**28
"""Bytes of the sound of one clip that is kept, all samplings together: 70 minutes of 16 kHz mono."""

_LOST = 0.1  # share of the clip that may be lost in pieces


def hear(
    path: str, *, start: float, end: float, samplings: Sequence[SoundSampling], limits: Decode
) -> dict[SoundSampling, Waveform] | None:
    """The sound of a clip in all forms; None where it has none. Media files are untrusted: call this in a worker.

    Raises ClipError: what opening the file raises, decode_error where more than LOST_S in a row, or a tenth in all,
    cannot be decoded, limit where more than MAX_BYTES would be kept.
    """
    with Reader(path, max_pixels=limits.max_pixels) as reader:
        begin_s, seek = zero_s(reader) + start, reader.indexed
    with open_sound(path) as stream:
        if stream is None:
            return None
        rate, layout = stream.codec_context.sample_rate, _layout(stream)
        seconds, channels = end - start, stream.codec_context.channels
        taken = [
            _Taken(sampling, rate=rate, layout=layout, channels=channels, seconds=seconds) for sampling in samplings
        ]
        _check_bytes(taken)
        losses = _Losses(begin_s, seconds)
        blocks = blocks_from(stream, rate=rate, layout=layout, begin_s=begin_s, seek=seek, lost=losses.add)
        heard = timeline(losses.watch(blocks, rate), rate=rate, channels=channels, total=round(seconds * rate))
        for samples in _gathered(heard, at_least=rate // 2):
            for one in taken:
                one.add(samples)
        return {sampling: one.end() for sampling, one in zip(samplings, taken, strict=True)}


def _layout(stream: AudioStream) -> str:
    """As FFmpeg takes it to be where a file has but the number of its channels: six are 5.1."""
    layout = stream.codec_context.layout
    if layout.name == f"{layout.nb_channels} channels":
        with suppress(ValueError):  # there is none of so many
            return AudioLayout(f"{layout.nb_channels}c").name
    return layout.name


class _Taken:
    """The sound in one form so far, or what is made of it."""

    def __init__(self, sampling: SoundSampling, *, rate: int, layout: str, channels: int, seconds: float) -> None:
        self._mono, self._given = sampling.mono, rate
        self.rate = sampling.rate or rate
        self.layout, self._channels = ("mono", 1) if sampling.mono else (layout, channels)
        self._left = round(seconds * self.rate)
        self.bytes = 0 if sampling.reduce else 4 * self._left * self._channels
        self._reducer = sampling.reduce and sampling.reduce.begin(rate=self.rate, layout=self.layout)
        self._samples = [np.empty((self._channels, 0), np.float32)]
        self._resampler: AudioResampler | None = None
        if self.rate != rate:
            self._resampler = AudioResampler(format="flt", layout=self.layout, rate=self.rate)

    def add(self, samples: Samples) -> None:
        # not swresample's mix: of floats it takes 0.7 of both sides, so that what is on both comes out 3 dB louder
        samples = samples.mean(axis=0, keepdims=True, dtype=np.float32) if self._mono else samples
        if self._resampler is None:
            self._take(samples)
        else:
            self._take(_resampled(self._resampler, samples, rate=self._given, layout=self.layout))

    def end(self) -> Waveform:
        if self._resampler is not None:
            self._take(_resampled(self._resampler, None, rate=self._given, layout=self.layout))
        self._take(np.zeros((self._channels, self._left), np.float32))  # what the resampler is short by, if anything
        if self._reducer:
            return Waveform(self.rate, self.layout, self._samples[0], self._reducer.end())
        return Waveform(self.rate, self.layout, np.concatenate(self._samples, axis=1))

    def _take(self, samples: Samples) -> None:
        samples = samples[:, : self._left]
        self._left -= samples.shape[1]
        if not samples.shape[1]:
            return
        if self._reducer:
            self._reducer.add(samples)
        else:
            self._samples.append(samples)


def _resampled(resampler: AudioResampler, samples: Samples | None, *, rate: int, layout: str) -> Samples:
    """What comes out for these samples; None for the last."""
    with _errors():
        frame = None
        if samples is not None:
            packed = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        made = [unpacked(block) for block in resampler.resample(frame)]
    return np.concatenate(made, axis=1) if made else np.empty((1, 0), np.float32)


class _Losses:
    """Which stretches of a clip's sound cannot be decoded: from a packet that gives nothing to what is heard next.

    Not the sum of such packets: some decoders swallow them, some parsers make one of many, and those that are behind
    by a packet give nothing for the first one.
    """

    def __init__(self, begin_s: float, seconds: float) -> None:
        self._begin_s, self._seconds = begin_s, seconds
        self._from_s: float | None = None
        self._to_s = self._all_s = 0.0

    def add(self, packet: Packet[AudioStream]) -> None:
        """A packet that gives nothing."""
        at_s = self._to_s if packet.pts is None else float(packet.pts * packet.time_base) - self._begin_s
        self._from_s = at_s if self._from_s is None else self._from_s
        self._to_s = at_s + float((packet.duration or 0) * packet.time_base)

    def watch(self, blocks: Iterable[tuple[int | None, Samples]], rate: int) -> Iterator[tuple[int | None, Samples]]:
        """The same blocks. Raises ClipError where too much is lost before one, or at the end."""
        with _errors():
            for position, samples in blocks:
                self._count(self._to_s if position is None else position / rate)
                yield position, samples
        self._count(self._to_s)

    def _count(self, until_s: float) -> None:
        if self._from_s is None:
            return
        lost_s = max(0.0, min(until_s, self._seconds) - max(self._from_s, 0.0))
        self._all_s += lost_s
        if lost_s > LOST_S or self._all_s > _LOST * self._seconds:
            detail = f"{self._all_s:.2f} s of {self._seconds:.2f} s of its sound cannot be decoded"
            raise ClipError(Reason.DECODE_ERROR, detail)
        self._from_s = None


def _check_bytes(taken: Sequence[_Taken]) -> None:
    total = sum(one.bytes for one in taken)
    if total > MAX_BYTES:
        raise ClipError(Reason.LIMIT, f"bytes of decoded sound: {total} > {MAX_BYTES}; cut the video into clips")


def _gathered(pieces: Iterable[Samples], *, at_least: int) -> Iterator[Samples]:
    """The same in longer pieces: a codec's of 20 ms would cost more in calls than in arithmetic."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[1]
        if count >= at_least:
            yield np.concatenate(held, axis=1)
            held, count = [], 0
    if held:
        yield np.concatenate(held, axis=1)


@contextmanager
def _errors() -> Iterator[None]:
    """A form that FFmpeg's filters do not take is the file's fault, too; PyAV has ValueErrors for some."""
    try:
        with media_errors(Reason.DECODE_ERROR, "its sound cannot be decoded"):
            yield
    except ValueError as error:
        raise ClipError(Reason.DECODE_ERROR, f"its sound cannot be decoded: {error}") from None
