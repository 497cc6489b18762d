"""The built-in first step: opens each clip and says what it is."""

from __future__ import annotations

from typing import ClassVar

from ..contract.clip import PROBE_COLUMNS, Clip, Columns
from ..contract.engine import Engine
from ..contract.identity import Json
from ..contract.step import ClipStep


class Probe(ClipStep):
    """The first stage of every plan. Not written in a recipe; its limits are those of the recipe's block `decode`."""

    version: ClassVar[int] = 2

    use: str = "probe"
    max_pixels: int
    max_frames: int

    def adds(self) -> Columns:
        return PROBE_COLUMNS

    def make(self, clip: Clip, engine: Engine) -> Json:
        return clip.probe()
