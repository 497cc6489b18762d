"""Steps that cost nothing, or a known time: what is left is what running them costs."""

from __future__ import annotations

import time
from typing import Any, Literal

from shotscribe.builder.contract import Clip, ClipStep, Columns, Engine


class Noop(ClipStep):
    use: Literal["noop"] = "noop"
    slow: tuple[str, ...] = ()
    """Ends of the ids of clips that take `slow_s`."""
    usual_s: float = 0
    slow_s: float = 0

    def adds(self) -> Columns:
        return {self.use: "int64"}

    def make(self, clip: Clip, engine: Engine) -> dict[str, Any]:
        seconds = self.slow_s if clip["source_id"].startswith(self.slow or ("none",)) else self.usual_s
        if seconds:
            time.sleep(seconds)
        return {self.use: 1}
