"""Text becomes vectors by hashing: the wording alone counts, the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest
from shotscribe.filters.embed.hashing import hashed

CAPTIONS = [
    "A man walks his dog in the park at sunset.",
    "At sunset a man is walking a dog through a park.",
    "A woman pours coffee into a white mug.",
    "Snow covers the mountains.",
]


def cosines(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return (vectors @ vectors.T) / np.outer(lengths, lengths)


def test_hashing_counts_what_is_shared_in_wording() -> None:
    texts = [CAPTIONS[0], "A man walks a dog in the park at sunset", CAPTIONS[2], CAPTIONS[3], "snow covers"]
    vectors = hashed(texts)
    assert vectors.shape == (5, 1024)
    assert vectors.dtype == np.float32
    near = cosines(vectors)
    assert near[0, 1] > 0.75
    assert near[3, 4] > 0.55
    assert max(near[0, 2], near[0, 3], near[2, 3]) < 0.25


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A cat  sits.", "a CAT sits. "),
        ("\tRain\non glass", "rain on glass"),
        ("Straße am Fluß", "STRASSE AM FLUSS"),
        ("caf\u00e9 terrace", "cafe\u0301 terrace"),
        ("ﬁne day", "fine day"),
    ],
)
def test_hashing_sees_no_case_spacing_or_spelling_of_unicode(one: str, other: str) -> None:
    first, second = hashed([one, other])
    assert (first == second).all()
    assert first.any()


def test_hashing_is_one_text_at_a_time_whatever_its_neighbours() -> None:
    texts = [
        *CAPTIONS,
        None,
        "",
        " \n",
        "a",
        "🔥",
        "一只猫在跑",
        "x" * 10_000,
        *(f"clip number {at}" for at in range(600)),
    ]
    alone = np.concatenate([hashed([text]) for text in texts])
    assert (hashed(texts) == alone).all()
    assert [bool(row.any()) for row in alone[4:11]] == [False, False, False, True, True, True, True]
    assert hashed([]).shape == (0, 1024)


def test_hashing_is_the_same_on_every_machine() -> None:
    vector = hashed(["a cat"])[0]
    # 5 + 4 + 3 n-grams of " a cat "; any change of these positions must change HashingEmbed's identity
    assert np.flatnonzero(vector == 1).tolist() == [96, 126, 173, 270, 290, 395, 894]
    assert np.flatnonzero(vector == -1).tolist() == [122, 287, 729, 770, 952]
    assert np.count_nonzero(vector) == 12
