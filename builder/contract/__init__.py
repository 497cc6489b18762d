"""What a step, a source or an engine is written with: one import for its author."""

from .clip import PROBE_COLUMNS, SOURCE_COLUMNS, Clip, Columns, Row
from .engine import Completion, Engine, EngineSpec, Image, Message, Part, Request, Unable, Video
from .errors import ClipError, Reason, Rejection, RunError
from .frames import SIGNAL_FRAMES, Frames, Images, Sampling
from .identity import canonical_json, pixel_hash, text_hash
from .locations import RecipePath, media_of, path_of, printable
from .model import ModelRef
from .source import Source, SourceClip, SourceNote, SourceReject
from .step import Barrier, Captioner, ColumnStep, Signal, Step, above, below
from .text import clean, cleaned

__all__ = [
    "PROBE_COLUMNS", "SIGNAL_FRAMES", "SOURCE_COLUMNS", "Barrier", "Captioner", "Clip", "ClipError", "ColumnStep",
    "Columns", "Completion", "Engine", "EngineSpec", "Frames", "Image", "Images", "Message", "ModelRef", "Part",
    "Reason", "RecipePath", "Rejection", "Request", "Row", "RunError", "Sampling", "Signal", "Source", "SourceClip",
    "SourceNote", "SourceReject", "Step", "Unable", "Video", "above", "below", "canonical_json", "clean", "cleaned",
    "media_of", "path_of", "pixel_hash", "printable", "text_hash",
]  # fmt: skip
