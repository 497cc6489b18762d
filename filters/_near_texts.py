"""How many texts are nearly the same as each: by the words and pairs of neighbouring words that two have in common.

The similarity of two texts is that share (Jaccard: the size of the intersection over that of the union). Which pairs to
look at is found by prefix filtering (Bayardo, Ma, Srikant, WWW 2007): if two texts must have a of a text's n features
in common, and all are in one order, the rarest first, then its first n - a + k hold k of those, for any k up to a. So
only pairs are compared that share so many there. The result is that of all pairs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_OTHERS = 1 << 14  # texts that one is compared with at a time: what bounds memory
_SHARE = 8  # k is an eighth of a: longer lists to count in, far fewer pairs to compare
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # Thai, Japanese, Chinese: each character counts as a word
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def words(text: str) -> list[str]:
    """The words of a text in order; case, punctuation, spacing and Unicode's spellings do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _WORD.findall(folded)


def near_counts(texts: Sequence[str], weights: Ints, *, similarity: float) -> Ints:
    """For each text (words with single spaces) the sum of the `weights` of those at least so similar, its own included.

    Memory: some 150 bytes a word. Time: two texts are compared, some nanoseconds a word, where they share enough of
    their rarest features; so it is nearly linear where captions differ, and quadratic within a crowd that is all alike.
    Measured on 2 cores: 100,000 captions of 50 words, 4,000 of them nearly the same, at 0.8: 23 s and 0.7 GB; of 150
    words, all different: 53 s and 2 GB.
    """
    features, starts = _features(texts)
    sizes = np.diff(starts)
    marked = np.zeros(int(features.max(initial=-1)) + 1, np.bool_)
    counts = weights.copy()
    for at, others in _candidates(features, starts, similarity):
        own = features[starts[at] : starts[at + 1]]
        marked[own] = True
        for start in range(0, len(others), _OTHERS):
            part = others[start : start + _OTHERS]
            shared = _marked(marked, features, starts, part)
            near = part[shared / (sizes[at] + sizes[part] - shared) >= similarity]
            counts[at] += weights[near].sum()
            counts[near] += weights[at]
        marked[own] = False
    return counts


def _features(texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], Ints]:
    """The features of all texts, as numbers, in a row, and where those of each begin (n + 1). A rarer one has a lower
    number; within a text they ascend, and each is there once.
    """
    names: dict[str, int] = {}
    lengths = np.array([text.count(" ") + 1 for text in texts], np.int64)
    every = (names.setdefault(word, len(names)) for text in texts for word in text.split(" "))
    word = np.fromiter(every, np.int64, int(lengths.sum()))
    row = np.repeat(np.arange(len(texts)), lengths)
    inside = np.flatnonzero(row[:-1] == row[1:])  # a pair of words is of one text
    codes = np.concatenate([word, (word[inside] + 1 << 32) + word[inside + 1]])
    rank, kinds = _ranked(codes)
    key = np.concatenate([row, row[inside]]) * kinds + rank
    key.sort()
    key = key[np.concatenate([[True], key[1:] != key[:-1]])[: len(key)]]
    starts = np.concatenate([[0], np.cumsum(np.bincount(key // kinds, minlength=len(texts)))])
    return (key % kinds).astype(np.int32), starts


def _ranked(codes: Ints) -> tuple[npt.NDArray[np.int32], int]:
    """For each code its place among the different ones, the rarest first; and how many those are (at least 1)."""
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    group = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1], dtype=np.int32)])[: len(codes)]
    frequency = np.bincount(group)
    place = np.empty(len(frequency), np.int32)
    place[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    rank = np.empty(len(codes), np.int32)
    rank[order] = place[group]
    return rank, max(len(frequency), 1)


def _candidates(features: npt.NDArray[np.int32], starts: Ints, similarity: float) -> Iterator[tuple[int, Ints]]:
    """Each text, and the later ones that may be similar to it: one pair comes once."""
    sizes = np.diff(starts)
    needed = np.maximum(np.ceil(similarity * sizes - 1e-9).astype(np.int64), 1)  # features that a similar text has too
    least = np.maximum(needed // _SHARE, 1)  # so many of them are among the first
    prefix = sizes - needed + least
    row = np.repeat(np.arange(len(sizes)), prefix)
    place = np.arange(len(row)) - np.repeat(np.cumsum(prefix) - prefix, prefix)
    feature = features[np.repeat(starts[:-1], prefix) + place]
    order = np.argsort(feature, kind="stable")  # texts with the same feature side by side, in order
    feature, row = feature[order], row[order]
    stop = np.searchsorted(feature, feature, side="right")
    shared = np.flatnonzero(stop > np.arange(len(row)) + 1)
    shared = shared[np.argsort(row[shared], kind="stable")]
    for group in np.split(shared, np.flatnonzero(np.diff(row[shared])) + 1):
        if not group.size:
            continue
        at = int(row[group[0]])
        others, times = np.unique(np.concatenate([row[one + 1 : stop[one]] for one in group]), return_counts=True)
        ratio = np.minimum(sizes[others], sizes[at]) / np.maximum(sizes[others], sizes[at])
        yield at, others[(times >= np.minimum(least[others], least[at])) & (ratio >= similarity)]


def _marked(marked: npt.NDArray[np.bool_], features: npt.NDArray[np.int32], starts: Ints, texts: Ints) -> Ints:
    """How many of its features are marked, for each of the texts."""
    sizes = starts[texts + 1] - starts[texts]
    begin = np.cumsum(sizes) - sizes
    at = np.repeat(starts[texts] - begin, sizes) + np.arange(int(sizes.sum()))
    return np.add.reduceat(marked[features[at]], begin, dtype=np.int64)
