"""Drops clips that are not safe for work, by a classifier of pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..builder.contract.clip import Clip, Columns, Row, Values
from ..builder.contract.engine import Ask, Engine
from ..builder.contract.errors import Rejection, RunError
from ..builder.contract.frames import Sampling
from ..builder.contract.identity import Json
from ..builder.contract.markers import Judges
from ..builder.contract.step import ClipStep, above

_LABEL = "nsfw"


class Nsfw(ClipStep):
    """`nsfw`: the highest score among frames that are spread evenly over the clip, 0 safe to 1 not: one frame is enough
    to make a clip unfit.
    """

    asks: ClassVar[Ask] = "classify"

    use: Literal["nsfw"] = "nsfw"
    engine: str
    """The engine that classifies pictures, by its name in the recipe's `engines`."""
    frames: int = Field(default=8, ge=1, le=256)
    """Frames that are looked at: the middles of as many equal parts of the clip."""
    max: Judges[float | None] = Field(default=0.8, ge=0, le=1)
    """Highest score. The page of Yahoo's model: above 0.8 a picture is very probably not safe, below 0.2 very probably
    safe, and each corpus wants its own. null only measures."""

    def adds(self) -> Columns:
        return {"nsfw": "float64"}

    def engine_name(self) -> str | None:
        return self.engine

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        middles = tuple((number + 0.5) / self.frames for number in range(self.frames))
        return (Sampling(fractions=middles, long_side_px=None, short_side_px=256),)

    async def make(self, clip: Clip, engine: Engine) -> Values:
        scores = await engine.classify(clip.frames(self.samplings(clip.row)[0]).images)
        if lacking := next((one for one in scores if _LABEL not in one), None):
            raise RunError(
                f'the step nsfw: the engine {self.engine} has no label "{_LABEL}", but {", ".join(sorted(lacking))}; '
                "name one that has, such as `use: opennsfw`"
            )
        return {"nsfw": round(max(one[_LABEL] for one in scores), 4)}

    def verdict(self, row: Row) -> Rejection | None:
        return above("nsfw", row["nsfw"], self.max, option="max")

    def identity(self) -> Json:
        """The engine by what it is (the plan adds that), not by its name in the recipe."""
        return {name: value for name, value in super().identity().items() if name != "engine"}
