"""Text as a vector without a model: its character n-grams, hashed into a fixed number of signed counts.

Texts that share most of their wording get a high cosine, whatever their language; a paraphrase in other words does not.
Integer arithmetic and one square root: the same bits on every machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .cosine import Matrix

DIMENSION = 1024

_NGRAMS = (3, 4, 5)  # characters, across words too, so that word order counts a little
_TEXTS = 256  # texts at a time: what bounds memory
_Codes = npt.NDArray[np.uint64]


def hashed(texts: Sequence[str | None]) -> Matrix:
    """Vectors (n, 1024); zeros for a text that is null or blank. Case, spacing and Unicode's spellings do not count.

    Each n-gram adds 1 or -1 to one of the 1024 sums; of a sum the square root is taken, its sign kept, so that
    a frequent " the " does not make strangers alike.
    """
    vectors = np.zeros((len(texts), DIMENSION), np.float32)
    for start in range(0, len(texts), _TEXTS):
        part = texts[start : start + _TEXTS]
        sums = _sums([_normal(text or "") for text in part])
        vectors[start : start + len(part)] = np.copysign(np.sqrt(np.abs(sums)), sums)
    return vectors


def _normal(text: str) -> str:
    words = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split()
    return f" {' '.join(words)} " if words else ""


def _sums(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    cells, signs = [], []
    for length in _NGRAMS:
        grams = len(codes) - length + 1
        if grams <= 0:
            continue
        whole = row[:grams] == row[length - 1 :]  # not across two texts
        key = np.full(grams, length, np.uint64)
        for offset in range(length):
            key = _mixed(key ^ codes[offset : offset + grams])
        key = key[whole]
        cells.append(row[:grams][whole] * DIMENSION + (key % DIMENSION).astype(np.int64))
        signs.append(np.where(key >> np.uint64(63), 1.0, -1.0))
    if not cells:
        return np.zeros((len(texts), DIMENSION))
    sums = np.bincount(np.concatenate(cells), weights=np.concatenate(signs), minlength=len(texts) * DIMENSION)
    return sums.astype(np.float64, copy=False).reshape(len(texts), DIMENSION)


def _mixed(key: _Codes) -> _Codes:
    """A bijection of 64 bits whose every output bit depends on every input bit (the finalizer of MurmurHash3)."""
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))
