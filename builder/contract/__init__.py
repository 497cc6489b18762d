"""What a step, a source or an engine is written with: one import for its author.

Names are looked up when they are first asked for: an error or an address waits for neither numpy nor pydantic.
"""

# ruff: noqa: F401  (what is imported for type checkers alone)

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clip import PROBE_COLUMNS, SOURCE_COLUMNS, Clip, Columns, Row
    from .engine import Completion, Engine, EngineSpec, Image, Message, Part, Request, Unable, Video
    from .errors import ClipError, Reason, Rejection, RunError
    from .frames import SIGNAL_FRAMES, Frames, Images, Sampling
    from .identity import canonical_json, pixel_hash, text_hash
    from .locations import RecipePath, media_of, path_of, printable
    from .markers import Judges, Placement
    from .model import ModelRef
    from .source import Source, SourceClip, SourceNote, SourceReject
    from .step import Barrier, Captioner, Signal, Step, above, below
    from .text import clean, cleaned

_MODULES = {
    "clip": ("PROBE_COLUMNS", "SOURCE_COLUMNS", "Clip", "Columns", "Row"),
    "engine": ("Completion", "Engine", "EngineSpec", "Image", "Message", "Part", "Request", "Unable", "Video"),
    "errors": ("ClipError", "Reason", "Rejection", "RunError"),
    "frames": ("SIGNAL_FRAMES", "Frames", "Images", "Sampling"),
    "identity": ("canonical_json", "pixel_hash", "text_hash"),
    "locations": ("RecipePath", "media_of", "path_of", "printable"),
    "markers": ("Judges", "Placement"),
    "model": ("ModelRef",),
    "source": ("Source", "SourceClip", "SourceNote", "SourceReject"),
    "step": ("Barrier", "Captioner", "Signal", "Step", "above", "below"),
    "text": ("clean", "cleaned"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
