"""JSON Schemas that answers are decoded under: only what every grammar backend knows, and bounded everywhere.

Without bounds a model that has begun to repeat itself fills all of its tokens, and leaves JSON that nobody can parse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...builder.contract.identity import Json

Schema = Json

_MARKS = (".", "!", "?", "。", "！", "？")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。！？]")


def an_object(properties: Mapping[str, Schema]) -> Schema:
    """Exactly these properties, all of them; a grammar writes them in this order."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def a_list(items: Schema, *, at_most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": at_most}


def a_text(max_chars: int) -> Schema:
    return {"type": "string", "maxLength": max_chars}


def one_of(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(values)}


def whole(text: str, max_chars: int) -> str:
    """A text of `a_text` on one line. One that fills its bound was cut off there: it ends at its last whole sentence,
    or where there is none at its last whole word.
    """
    line = " ".join(text.split())
    if len(text) < max_chars or line.endswith(_MARKS):
        return line
    ends = [found.end() for found in _SENTENCE_END.finditer(line)]
    return line[: ends[-1]] if ends else line.rpartition(" ")[0].rstrip(" ,;:") or line
