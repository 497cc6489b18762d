"""What models put around an answer and what is no part of it: white space, fences, quotation marks, JSON, markup."""

from __future__ import annotations

import json
import re

from .garbled import mended
from .languages import guessed
from .markup import plain

_FENCE = "```"
_LANGUAGE = re.compile(r"[\w+-]*+[ \t]*+\n|(?:json|text|txt|plaintext|markdown|md)\b")
"""What follows an opening fence: alone in its line, or a name that is no word of a caption."""
_KEY = re.compile(r"(?:\w{1,40}_)?(?:caption|description|summary)|text|answer|response|output|result|content")
_BULLET = re.compile(r"(?:#{1,6}|[-*•]) (?=[^\n]*$)")
"""Of one line alone: several are a list."""
_FIRST = re.compile(r"(?:\(?1[.)][ \t]{0,3}|1[、．][ \t]{0,3}|①[ \t]{0,3})(?=[^\W\d_])(?!(?:[A-Z]{2,}|Mai)\b)")
"""A number before the only item; not 1. FC Köln, 1. Mai."""
_GERMAN = re.compile(
    r"(?:ein|der|die|das|zwei|drei|mehrere|viele|im|in|an|am|auf|vor|hinter|unter|neben)\w{0,2}\b", re.I
)
"""What follows a number that is no ordinal: 1. Halbzeit, 1. Klasse."""
_SECOND = re.compile(r"\s\(?2[.)、．]|②|\n[ \t]{0,8}(?:[-*•#|(]|\d{1,2}[.)])")
_WRAPS = (
    *(('"', '"'), ("“", "”"), ("«", "»"), ("„", "“"), ("'", "'"), ("‘", "’"), ("`", "`")),
    *(("**", "**"), ("__", "__"), ("*", "*"), ("_", "_")),
)
_LAYERS = 8  # of markup within quotation marks within markup


def tidied(text: str) -> str:
    """The answer itself: as `unfenced`, as `plain`, and without quotation marks where one pair is around all of it, the
    number of an only item, or JSON that holds nothing but one text (`{"caption": ...}`)."""
    text = mended(text)
    for _ in range(_LAYERS):
        while (inner := _unwrapped(unfenced(text))) != text:
            text = inner
        if structured(text) or (inner := plain(text)) == text:
            break
        text = inner
    return text


def unfenced(text: str) -> str:
    """Without white space around it, and without the code fence that all of it stands in.

    Half of a surrogate pair, which no file could hold, becomes "?".
    """
    text = text.encode("utf-8", "replace").decode("utf-8").strip()
    inside = text[len(_FENCE) : -len(_FENCE)]
    if len(text) < 2 * len(_FENCE) or not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    language = _LANGUAGE.match(inside)
    return inside[language.end() if language else 0 :].strip()


def structured(text: str) -> bool:
    """Whether a text is JSON: an object or a list."""
    return _parsed(text) is not None


def _parsed(text: str) -> dict[str, object] | list[object] | None:
    if not (text.startswith(("{", "[")) and text.endswith(("}", "]"))):
        return None
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _alone(text: str) -> str:
    """The one text in an object or a list; else "" ."""
    value = _parsed(text)
    if isinstance(value, dict):
        value = [one for key, one in value.items() if _KEY.fullmatch(key.lower())] if len(value) == 1 else []
    return value[0] if value and len(value) == 1 and isinstance(value[0], str) else ""


def _unwrapped(text: str) -> str:
    text = _alone(text).strip() or text
    if structured(text):
        return text
    bullet = _BULLET.match(text)
    text = text[bullet.end() :] if bullet else text
    text = text[_past_number(text) :]
    for left, right in _WRAPS:
        inside = text[len(left) : -len(right)]
        if inside and text.startswith(left) and text.endswith(right) and not _closes(inside, left, right):
            return inside.strip()
    return text


def _past_number(text: str) -> int:
    """Where the text begins without the number of an only item."""
    first = _FIRST.match(text)
    if first is None or _SECOND.search(text, first.end()):
        return 0
    ordinal = guessed(text) == "de" and not _GERMAN.match(text, first.end())
    return 0 if ordinal else first.end()


def _closes(inside: str, left: str, right: str) -> bool:
    """Whether the marks are there again: `"Go," he says, "now"`. An apostrophe within a word is none."""
    if right in "'’":
        inside = re.sub(r"(?<=\w)['’](?=\w)", "", inside)
    return left in inside or right in inside
