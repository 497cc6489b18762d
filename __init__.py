"""Shotscribe: captioned, deduplicated, streamable text-to-video training datasets from raw video corpora."""

from .builder.contract.errors import ClipError, RecipeError, RunError, ShotscribeError
from .builder.load import load_recipe

__version__ = "0.1.0"

__all__ = ["ClipError", "RecipeError", "RunError", "ShotscribeError", "__version__", "load_recipe"]
