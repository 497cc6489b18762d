"""What a step, a source or an engine is written with: one import for its author.

Names are looked up when they are first asked for: an error or an address waits for neither numpy nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .captions import INFO as INFO
    from .clip import PROBE_COLUMNS as PROBE_COLUMNS
    from .clip import SOURCE_COLUMNS as SOURCE_COLUMNS
    from .clip import Clip as Clip
    from .clip import Columns as Columns
    from .clip import Row as Row
    from .columns import AnyType as AnyType
    from .columns import Derived as Derived
    from .columns import Hidden as Hidden
    from .columns import Optional as Optional
    from .engine import Ask as Ask
    from .engine import Completion as Completion
    from .engine import Engine as Engine
    from .engine import EngineSpec as EngineSpec
    from .engine import Image as Image
    from .engine import Message as Message
    from .engine import Part as Part
    from .engine import Request as Request
    from .engine import Scores as Scores
    from .engine import TextLine as TextLine
    from .engine import Unable as Unable
    from .engine import Vectors as Vectors
    from .engine import Video as Video
    from .errors import ClipError as ClipError
    from .errors import Reason as Reason
    from .errors import Rejection as Rejection
    from .errors import RunError as RunError
    from .frames import SIGNAL_FRAMES as SIGNAL_FRAMES
    from .frames import Frames as Frames
    from .frames import Images as Images
    from .frames import Reducer as Reducer
    from .frames import Reduction as Reduction
    from .frames import Sampling as Sampling
    from .identity import canonical_json as canonical_json
    from .identity import pixel_hash as pixel_hash
    from .identity import text_hash as text_hash
    from .locations import RecipePath as RecipePath
    from .locations import media_of as media_of
    from .locations import path_of as path_of
    from .locations import printable as printable
    from .markers import Judges as Judges
    from .markers import Placement as Placement
    from .model import ModelRef as ModelRef
    from .sound import NATIVE_SOUND as NATIVE_SOUND
    from .sound import Samples as Samples
    from .sound import SoundReducer as SoundReducer
    from .sound import SoundReduction as SoundReduction
    from .sound import SoundSampling as SoundSampling
    from .sound import Waveform as Waveform
    from .source import Source as Source
    from .source import SourceClip as SourceClip
    from .source import SourceNote as SourceNote
    from .source import SourceReject as SourceReject
    from .step import ClipStep as ClipStep
    from .step import Range as Range
    from .step import SplitStep as SplitStep
    from .step import Step as Step
    from .step import TableStep as TableStep
    from .step import above as above
    from .step import below as below
    from .text import clean as clean
    from .text import cleaned as cleaned

_MODULES = {
    "captions": ("INFO",),
    "clip": ("PROBE_COLUMNS", "SOURCE_COLUMNS", "Clip", "Columns", "Row"),
    "columns": ("AnyType", "Derived", "Hidden", "Optional"),
    "engine": (
        *("Ask", "Completion", "Engine", "EngineSpec", "Image", "Message", "Part", "Request"),
        *("Scores", "TextLine", "Unable", "Vectors", "Video"),
    ),
    "errors": ("ClipError", "Reason", "Rejection", "RunError"),
    "frames": ("SIGNAL_FRAMES", "Frames", "Images", "Reducer", "Reduction", "Sampling"),
    "identity": ("canonical_json", "pixel_hash", "text_hash"),
    "locations": ("RecipePath", "media_of", "path_of", "printable"),
    "markers": ("Judges", "Placement"),
    "model": ("ModelRef",),
    "sound": ("NATIVE_SOUND", "Samples", "SoundReducer", "SoundReduction", "SoundSampling", "Waveform"),
    "source": ("Source", "SourceClip", "SourceNote", "SourceReject"),
    "step": ("ClipStep", "Range", "SplitStep", "Step", "TableStep", "above", "below"),
    "text": ("clean", "cleaned"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
