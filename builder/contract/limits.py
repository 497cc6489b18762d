"""Limits of everything that is read from a stranger: a recipe's block `decode`, and the largest text."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PIXELS = 36_000_000
"""Width times height of the largest frame that is decoded unless a recipe says otherwise; 8K is 33 million."""

MAX_TEXT = 1 << 18
"""Characters: the longest text of a published row, some 50,000 words."""


class Decode(BaseModel):
    """The recipe's `decode:` block."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    decoder: Literal["pyav", "decord"] = "pyav"
    """`decord` needs `pip install shotscribe[decord]`."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    """Width times height of a frame; 8K is 33 million. Larger videos are rejected."""
    max_frames: int = Field(default=200_000, ge=1)
    """Frames of a clip, 2.3 hours at 24 a second. Longer ones are rejected."""
    timeout_s: float = Field(default=120, gt=0)
    """Seconds that one clip's work may take before its process is killed."""
