"""Text that came from outside, fit to be published: one line, and nothing in it that commands a terminal or hides."""

from __future__ import annotations

import re
from collections.abc import Callable

# What a terminal takes as one command. One that holds text ends before the next begins, so that the search is linear in
# the length of the text; where it never ends only its introducer goes, and no text vanishes with it.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI: colours, cursor, screen
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x90\x98\x9b-\x9f]*+(?:\x07|\x1b\\|\x9c)"  # OSC, DCS
    r"|\x1b[ -/]*+[0-~]"
)
_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{2,6}\U000e007f"  # of a region: tags spell its name
_INVISIBLE = re.compile(
    f"({_FLAG})|[\U000e0000-\U000e007f"  # other tags are letters in disguise
    "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # control characters
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # order and direction of letters
    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff"  # byte order marks, annotations, what is no character
    "\ud800-\udfff]+"  # halves of a character
)
_UNSHOWN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_BREAK = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile("[ \t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


def clean(text: str) -> str:
    """The text as one line that Arrow, JSON and a terminal take as it stands.

    A line break or a tab, with the blanks around it, becomes one space. Removed are control characters, terminal
    commands, marks that change the order of letters, byte order marks, lone surrogates and hidden tags. What joins
    letters and emoji (U+200C, U+200D) stays. To clean twice changes nothing more.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    shown = _INVISIBLE.sub(r"\1", _SEQUENCE.sub("", text))
    line = _BLANKS.sub(lambda blanks: " " if _BREAK.search(blanks[0]) else blanks[0], shown).strip()
    _changed.count += line != text.strip()
    return line


class _Count:
    count = 0


_changed = _Count()


def changed() -> int:
    """How many texts `clean` has changed in this process, but for blanks around them: the difference of two answers
    counts those of the time between.
    """
    return _changed.count


def cleaned(value: object) -> object:
    """A JSON value, every text in it as by `clean`."""
    return with_texts(value, clean)


def with_texts(value: object, change: Callable[[str], str]) -> object:
    """A JSON value, every text in it changed; names of fields stay."""
    if isinstance(value, dict):
        return {name: with_texts(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def escaped(text: str) -> str:
    r"""A text for a terminal: lines as they stand, and what commands it or cannot be seen as \x1b, \u202e, ..."""
    return _UNSHOWN.sub(lambda char: ascii(char[0])[1:-1], text)
