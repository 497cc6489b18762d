"""How near one text is to another: the few measures that a caption's score is made of. All are 0 to 1."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # Thai, Japanese, Chinese: each character counts as a word
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ARTICLES = frozenset({"a", "an", "the"})
_ORDERS = 4


def words(text: str) -> list[str]:
    """The words of a text in order; case, punctuation and Unicode's spellings do not count."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def token_f1(one: str, other: str) -> float:
    """Harmonic mean of precision and recall of the words, articles left out, each as often as it is there (SQuAD's F1).

    Two texts without a word are the same; symmetric.
    """
    left, right = (Counter(word for word in words(text) if word not in _ARTICLES) for text in (one, other))
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 1.0


def rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two lists of words (ROUGE-L, beta 1); symmetric."""
    total = len(one) + len(other)
    return 2 * _common(one, other) / total if total else 1.0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a bit for each word of `one` (Hyyrö 2004): linear in `other`."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    mask = (1 << len(one)) - 1
    row = mask
    for word in other:
        found = row & places.get(word, 0)
        row = ((row + found) | (row - found)) & mask
    return len(one) - row.bit_count()


def bleu_4(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """BLEU-4 of a corpus of (prediction, reference), one reference each (Papineni et al. 2002).

    Matches and totals of 2-, 3- and 4-grams are one more than they are (Lin and Och 2004), so that a small corpus
    without a matching 4-gram is not worth nothing.
    """
    matches, totals = [0] * _ORDERS, [0] * _ORDERS
    predicted = referenced = 0
    for prediction, reference in pairs:
        predicted, referenced = predicted + len(prediction), referenced + len(reference)
        for order in range(_ORDERS):
            made, wanted = _grams(prediction, order + 1), _grams(reference, order + 1)
            matches[order] += (made & wanted).total()
            totals[order] += made.total()
    if not predicted or not matches[0]:
        return 1.0 if predicted == referenced == 0 else 0.0
    shares = [
        (hits + (order > 0)) / (total + (order > 0))
        for order, (hits, total) in enumerate(zip(matches, totals, strict=True))
    ]
    brevity = min(1.0, math.exp(1 - referenced / predicted))
    return brevity * math.prod(shares) ** (1 / _ORDERS)


def _grams(text: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[at : at + order]) for at in range(len(text) - order + 1))
