"""Ways of captioning, a file each; what the author of one needs is imported from here, when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._ask import Answer, Captioner
    from ._pictures import images_of
    from ._prompt import Prompt

_HOMES = {"Answer": "_ask", "Captioner": "_ask", "Prompt": "_prompt", "images_of": "_pictures"}

__all__ = ["Answer", "Captioner", "Prompt", "images_of"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
