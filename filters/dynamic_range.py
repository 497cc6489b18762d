"""Drops clips that are HDR, or those that are not."""

from __future__ import annotations

from typing import Literal

from ..builder.contract.clip import HDR, Columns, Row
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step


class DynamicRange(Step):
    """Keeps clips of one dynamic range: a model that is shown both learns two kinds of pixels for one kind of light.

    HDR is what the file's transfer function says is so: PQ (HDR10, Dolby Vision) or HLG. Whatever is kept, frames are
    tone-mapped for measuring and captioning.
    """

    use: Literal["dynamic_range"] = "dynamic_range"
    keep: Judges[Literal["sdr", "hdr"]] = "sdr"
    """Which clips are kept."""

    def reads(self) -> Columns:
        return {"color_transfer": "string"}

    def verdict(self, row: Row) -> Rejection | None:
        transfer = row["color_transfer"]
        if (transfer in HDR) == (self.keep == "hdr"):
            return None
        return Rejection(Reason.EXCLUDED, f"color_transfer {transfer or 'unknown'}: keep {self.keep}", "keep")
