"""The timed captions that `sliding` writes and `summarize` reads."""

from __future__ import annotations

from typing import Any

from ._ask import INFO

DIFF_CAPTIONS: Any = [{"start": "float64", "end": "float64", "caption": "string", "info": {**INFO}}]
"""The column `diff_captions`: a caption a window, in time order. `start` and `end`: seconds from the clip's start, of
the window's frames; `caption`: what changes from the one to the other (of the first, what is there); `info`: how it was
made."""
