"""The sound of a clip: in which form a step asks for it, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

HEARING = 1
"""Raised when the same clip gives other samples, so that nothing is kept that was measured on the old ones."""

Samples = npt.NDArray[np.float32]
"""(channels, n), 1.0 is full scale; lossy codecs and float PCM go beyond."""


class SoundReducer(Protocol):
    """Hears the samples of one clip in order, and gives numbers for them at the end."""

    def add(self, samples: Samples) -> None:
        """Some seconds of them, at most."""

    def end(self) -> npt.NDArray[np.float64]:
        """(numbers,), of the whole clip."""


class SoundReduction(Protocol):
    """What is made of a sound while it is decoded, so that it need not be kept. Hashable, and sent to workers."""

    def begin(self, *, rate: int, layout: str) -> SoundReducer:
        """`rate` in Hz; `layout` by FFmpeg's name, such as mono, stereo or 5.1(side)."""


@dataclass(frozen=True, slots=True)
class SoundSampling:
    """The form of a clip's sound. `rate`: samples a second; None for the file's own. `mono`: the mean of all channels,
    else they are as the file has them. `reduce`: what is made of it at once.
    """

    rate: int | None = None
    mono: bool = False
    reduce: SoundReduction | None = None


NATIVE_SOUND = SoundSampling()
"""As the file has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """A clip's sound, from its first frame to the end of its last: round(duration * rate) samples.

    Where the sampling reduces it, there are no samples, and `numbers` is float64 (k,). `layout`: as in SoundReduction.
    """

    rate: int
    layout: str
    samples: Samples
    numbers: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
