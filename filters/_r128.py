"""Loudness by EBU R128, and what else is measured of a sound in one pass over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..builder.contract.errors import ClipError, Reason
from ..builder.contract.sound import Samples, SoundReducer, SoundSampling

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

WINDOW_S = 0.05
"""Length of the windows that are silent or not; the last may be shorter."""
SILENT_DBFS = -60.0
"""RMS below which a channel's window is silent; the usual noise floor of FFmpeg's silencedetect. A sine whose peaks
reach full scale has -3."""
FULL_SCALE = 1 - 2.0**-15
"""The largest sample of 16 bits."""
_OVERSAMPLED = 4  # times: BS.1770, annex 2; a peak reads 0.7 dB too low at worst
_REACH = 16  # samples to each side that swresample's filter looks at
_GATING_S, _SHORT_TERM_S = 0.4, 3.0  # the windows of BS.1770 and of Tech 3342
_GATE = -70.0  # LUFS
_INTEGRATED, _SHORT_TERM = "lavfi.r128.I", "lavfi.r128.S"


@dataclass(frozen=True, slots=True)
class R128:
    """Five numbers: integrated loudness (LUFS), loudness range (LU), true peak (1.0: full scale), and the shares of
    the time that is silent and of the samples at full scale. NaN for what a sound is too short or too quiet to have.
    """

    def begin(self, *, rate: int, layout: str) -> SoundReducer:
        return _Meter(rate, layout)


LOUDNESS = SoundSampling(reduce=R128())
"""Rate and channels of the file: what is mixed down or resampled has another loudness."""


class _Meter:
    """FFmpeg's `ebur128` gives loudness as metadata of frames of 100 ms. Its own true peak is left out: it costs five
    times as much as all else, and comes rounded to thousandths of full scale. So is its range, which is off by up to
    20 LU where there are fewer than five short-term values, as in clips of 3 s.
    """

    def __init__(self, rate: int, layout: str) -> None:
        from av import FFmpegError
        from av.audio.frame import AudioFrame
        from av.audio.resampler import AudioResampler
        from av.filter import Graph

        self._frame_of = AudioFrame.from_ndarray
        self._rate, self._layout = rate, layout
        self._at = 0
        self._integrated = np.nan
        self._short_term: list[float] = []  # every 100 ms
        self._peak, self._edge = 0.0, _OVERSAMPLED * _REACH
        self._silent = self._clipped = self._counted = 0
        self._window = max(1, round(WINDOW_S * rate))
        self._rest: Samples | None = None  # of a window that is not full yet
        try:
            self._oversampler = AudioResampler(format="flt", layout=layout, rate=_OVERSAMPLED * rate)
            self._graph = Graph()  # to be kept: its filters do not keep it
            self._source = self._graph.add_abuffer(
                sample_rate=rate, format="flt", layout=layout, time_base=Fraction(1, rate)
            )
            meter = self._graph.add("ebur128", "metadata=1")
            self._sink = self._graph.add("abuffersink")
            self._source.link_to(meter)
            meter.link_to(self._sink)
            self._graph.configure()
        except (FFmpegError, ValueError) as error:
            detail = f"sound of {rate} Hz, {layout}, cannot be measured: {error}"
            raise ClipError(Reason.DECODE_ERROR, detail) from None

    def add(self, samples: Samples) -> None:
        frame = self._frame_of(np.ascontiguousarray(samples.T).reshape(1, -1), "flt", self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._at
        self._at += samples.shape[1]
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0)), self._oversampled_peak(frame))
        self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        self._counted += samples.size
        joined = samples if self._rest is None else np.concatenate([self._rest, samples], axis=1)
        whole = joined.shape[1] // self._window * self._window
        self._silent += self._window * _silent(joined[:, :whole].reshape(len(joined), -1, self._window))
        self._rest = joined[:, whole:]
        self._source.push(frame)
        for values in self._measured():
            self._integrated = float(values[_INTEGRATED])
            self._short_term.append(float(values[_SHORT_TERM]))

    def end(self) -> npt.NDArray[np.float64]:
        if self._rest is not None and self._rest.shape[1]:
            self._silent += self._rest.shape[1] * _silent(self._rest[:, None, :])
        seconds = self._at / self._rate
        integrated = self._integrated if seconds >= _GATING_S else np.nan
        spread = _range(np.array(self._short_term)) if seconds >= _SHORT_TERM_S else np.nan
        shares = (self._silent / self._at, self._clipped / self._counted) if self._at else (np.nan, np.nan)
        return np.array([integrated, spread, self._peak, *shares], np.float64)

    def _oversampled_peak(self, frame: AudioFrame) -> float:
        """Between samples; not at the edges of the clip, where what the filter makes of a tone's cut is no sound."""
        peak = 0.0
        for block in self._oversampler.resample(frame):
            made = block.to_ndarray()
            channels = made.shape[1] // block.samples
            peak = max(peak, float(np.abs(made[:, self._edge * channels :]).max(initial=0)))
            self._edge = max(0, self._edge - block.samples)
        return peak

    def _measured(self) -> Iterator[dict[str, str]]:
        from av import BlockingIOError, EOFError

        while True:
            try:
                frame = self._sink.pull()
            except (BlockingIOError, EOFError):
                return
            if _INTEGRATED in (values := frame.metadata):
                yield values


def _range(short_term: npt.NDArray[np.float64]) -> float:
    """From short-term loudness (LUFS) the loudness range in LU, by EBU Tech 3342: of what is above -70 and less than
    20 LU below the mean power of that, from the 10th percentile to the 95th.
    """
    heard = np.sort(short_term[short_term >= _GATE])
    if not heard.size:
        return np.nan
    heard = heard[heard >= 10 * np.log10(np.mean(10 ** (heard / 10))) - 20]
    low, high = (heard[round((heard.size - 1) * share)] for share in (0.1, 0.95))
    return float(high - low)


def _silent(windows: Samples) -> int:
    """How many of the windows, (channels, windows, n), are silent in all channels. Without the mean: a constant offset
    is no sound.
    """
    power = windows.var(axis=2, dtype=np.float64)
    return int(np.count_nonzero((power < 10 ** (SILENT_DBFS / 10)).all(axis=0)))
