"""Measures how loud a clip's sound is, and drops clips that are silent, clipped, too quiet or too loud."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Engine
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.sound import SoundSampling
from ..builder.contract.step import ClipStep, above, below
from ._bounds import check_order
from ._r128 import LOUDNESS


class Loudness(ClipStep):
    """Loudness by EBU R128 (ITU-R BS.1770), by FFmpeg's meter, over the clip's own range of the published sound, with
    the channels and the rate of the file. All is null without sound.

    `loudness`: integrated, in LUFS; -70, where the standard's gate is, if nothing is louder than that, as in digital
    silence; null for clips under 0.4 s, its shortest window. Of one channel it is 3 LU less than of the same on both
    sides. `loudness_range`: in LU (EBU Tech 3342); null where no 3 s are louder than -70. `true_peak`: in dBTP, four
    times oversampled; null in digital silence. `silence`: the share of the clip in which every channel is below -60
    dBFS (RMS over 50 ms, without a constant offset). `clipping`: the share of samples at full scale or beyond.
    """

    use: Literal["loudness"] = "loudness"
    min: Judges[float | None] = Field(default=None, ge=-70, le=0)
    """Lowest loudness in LUFS. Broadcasts have -23, streams -14; -70 is silence. What has no value stays."""
    max: Judges[float | None] = Field(default=None, ge=-70, le=0)
    """Highest loudness in LUFS."""
    max_silence: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Largest share of the clip that is silent."""
    max_clipping: Judges[float | None] = Field(default=None, ge=0, le=1)
    """Largest share of samples at full scale. A record that was mastered loud has some thousandths."""
    without: Judges[Literal["drop", "keep"]] = "keep"
    """What becomes of clips without sound."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self, ("min", "max"))
        return self

    def adds(self) -> Columns:
        return dict.fromkeys(("loudness", "loudness_range", "true_peak", "silence", "clipping"), "float64")

    def sounds(self, row: Row) -> tuple[SoundSampling, ...]:
        return (LOUDNESS,)

    def make(self, clip: Clip, engine: Engine) -> Values:
        sound = clip.sound(LOUDNESS)
        if sound is None:
            return dict.fromkeys(self.adds())
        loudness, spread, peak, silence, clipping = sound.numbers.tolist()
        return {
            "loudness": _rounded(loudness, 2),
            "loudness_range": _rounded(spread, 2),
            "true_peak": _rounded(20 * math.log10(peak), 2) if peak > 0 else None,
            "silence": _rounded(silence, 4),
            "clipping": _rounded(clipping, 6),
        }

    def verdict(self, row: Row) -> Rejection | None:
        if row["silence"] is None and self.without == "drop":
            return Rejection(Reason.EXCLUDED, "no sound: without drop", "without")
        return (
            above("silence", row["silence"], self.max_silence, option="max_silence")
            or above("clipping", row["clipping"], self.max_clipping, option="max_clipping")
            or below("loudness", row["loudness"], self.min, option="min")
            or above("loudness", row["loudness"], self.max, option="max")
        )


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
