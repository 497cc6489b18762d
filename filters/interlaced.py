"""Drops clips that are interlaced, or those that are not."""

from __future__ import annotations

from typing import Literal

from ..builder.contract.clip import Columns, Row
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step


class Interlaced(Step):
    """Keeps clips by how they were scanned. Without it both are kept, and deinterlaced where they are cut."""

    use: Literal["interlaced"] = "interlaced"
    keep: Judges[Literal["progressive", "interlaced"]] = "progressive"
    """Which clips are kept."""

    def reads(self) -> Columns:
        return {"interlaced": "bool"}

    def verdict(self, row: Row) -> Rejection | None:
        scan = "interlaced" if row["interlaced"] else "progressive"
        return None if scan == self.keep else Rejection(Reason.EXCLUDED, f"{scan}: keep {self.keep}", "keep")
