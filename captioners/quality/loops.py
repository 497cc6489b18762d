"""Finds text that says the same again and again: what a model does when it has lost its way."""

from __future__ import annotations

import re

_TIMES = 4  # a piece that ends a text so many times in a row is a loop,
_CHARACTERS = 120  # where that is so long: sixteen frames that are all "orange" are none
_NEEDLE = 2 * _CHARACTERS // 3  # a loop of length L and period p has L > 3p, so its last 2L/3 stand p earlier as well
_RUN = 6  # words
_WORDS = 40  # a text shorter than this is judged by its end alone

_SPOKEN = re.compile(r".*[^\W_]", re.DOTALL)
_CHINESE = "\u3040-\u30ff\u3400-\u9fff"  # and Japanese: written without spaces, a character is taken for a word
_WORD = re.compile(rf"[{_CHINESE}]|[^\W\d_{_CHINESE}]+")


def loops(text: str) -> bool:
    """Whether a text is a loop: it ends in one, or half of its runs of six words were said before.

    The second finds loops that a model got out of, or that count ("Take 1: a man walks. Take 2: a man walks."): words
    are letters, numbers do not count. Linear in ordinary text.
    """
    return ends_in_loop(text) or _repeats(text)


def ends_in_loop(text: str) -> bool:
    """Whether a text ends in one piece said four times in a row or more, over at least 120 characters.

    The last may be broken off, and case and the amount of white space do not count. Punctuation after the loop is
    allowed; punctuation and white space may be what loops.
    """
    if len(text) - len(text.rstrip()) >= _CHARACTERS:
        return True
    text = re.sub(r"\s+", " ", text.casefold())
    spoken = _SPOKEN.match(text)
    return _periodic(text) or (spoken is not None and _periodic(spoken[0]))


def _periodic(text: str) -> bool:
    """Each earlier place of the text's last characters proposes a period, the shortest first."""
    size, needle = len(text), text[-_NEEDLE:]
    at = text.rfind(needle, 0, size - 1) if size >= _CHARACTERS else -1
    while at >= 0:
        period = size - _NEEDLE - at
        stretch = max((_TIMES - 1) * period + 1, _CHARACTERS)
        if stretch > size:
            return False
        if text[-stretch:-period] == text[period - stretch :]:
            return True
        at = text.rfind(needle, 0, at + _NEEDLE - 1)
    return False


def _repeats(text: str) -> bool:
    words = _WORD.findall(text.casefold())
    runs = [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
    return len(words) >= _WORDS and 2 * len(set(runs)) <= len(runs)
