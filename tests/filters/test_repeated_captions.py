"""A caption on too many clips takes all of them out; nearly the same is counted as all pairs would say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.errors import Reason
from shotscribe.filters._near_texts import near_counts, words
from shotscribe.filters.repeated_captions import RepeatedCaptions


def table(*chunks: list[str | None]) -> pa.Table:
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    return pa.table({"clip_id": [f"clip-{at}" for at in range(len(column))], "caption": column})


def flagged(captions: list[str | None], *, max_clips: int, similarity: float = 1.0) -> list[int]:
    step = RepeatedCaptions(column="caption", max_clips=max_clips, similarity=similarity)
    found = list(step.settle(table(captions)))
    assert all(rejection.reason is Reason.EXCLUDED for _, rejection in found)
    return [at for at, _ in found]


def share(left: str, right: str) -> float:
    """The definition: of all words and neighbouring pairs, how many both have."""
    one, other = ({*text.split(), *pairwise(text.split())} for text in (left, right))
    return len(one & other) / len(one | other)


few_words = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=12).map(" ".join)


@given(texts=st.lists(few_words, max_size=40), similarity=st.floats(0.5, 1), data=st.data())
def test_counts_are_those_of_all_pairs(texts: list[str], similarity: float, data: st.DataObject) -> None:
    if len(texts) > 1 and data.draw(st.booleans()):  # a threshold that is met exactly
        similarity = max(share(texts[0], texts[1]), 0.5)
    weights = np.array([data.draw(st.integers(1, 5)) for _ in texts], np.int64)
    found = near_counts(texts, weights, similarity=similarity)
    assert found.tolist() == [
        sum(weight for other, weight in zip(texts, weights.tolist(), strict=True) if share(text, other) >= similarity)
        for text in texts
    ]


def test_counts_are_those_of_all_pairs_among_long_texts() -> None:
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(12):
        text = rng.integers(0, 500, 60)
        for _ in range(10):  # and variants with up to a dozen words exchanged
            variant = text.copy()
            variant[rng.integers(0, 60, rng.integers(0, 13))] = rng.integers(0, 500)
            texts.append(" ".join(map(str, variant)))
    for similarity in (0.5, 0.75, 0.9):
        found = near_counts(texts, np.ones(len(texts), np.int64), similarity=similarity)
        assert found.tolist() == [sum(share(text, other) >= similarity for other in texts) for text in texts]
        assert 1 < found.max() <= 11


def test_every_clip_of_a_caption_goes_and_the_detail_says_why() -> None:
    step = RepeatedCaptions(column="caption", max_clips=2)
    assert step.reads() == {"caption": "string"}
    clips = table(["A dog runs.", "A cat sits."], [], ["a dog  runs", None, "A DOG, runs!", "A cat sits."])
    found = list(step.settle(clips))
    assert {rejection.option for _, rejection in found} == {"max_clips"}
    assert [(at, rejection.detail) for at, rejection in found] == [
        (0, 'the caption is on 3 clips, max_clips 2: "A dog runs."'),
        (2, 'the caption is on 3 clips, max_clips 2: "a dog runs"'),
        (4, 'the caption is on 3 clips, max_clips 2: "A DOG, runs!"'),
    ]
    assert list(RepeatedCaptions(column="caption", max_clips=3).settle(clips)) == []
    assert list(step.settle(table())) == list(step.settle(table([None]))) == []


def test_the_caption_that_was_on_four_thousand_clips() -> None:
    captions: list[str | None] = [f"Clip {at} shows bird number {at * 7}." for at in range(6000)]
    captions[1000:5000] = ["The scene is calm, and " + "the light is soft, " * 10 + "as evening falls."] * 4000
    found = list(RepeatedCaptions(column="caption", max_clips=3).settle(table(captions)))
    assert [at for at, _ in found] == list(range(1000, 5000))
    assert found[0][1].detail.startswith(
        'the caption is on 4000 clips, max_clips 3: "The scene is calm, and the light is'
    )
    assert found[0][1].detail.endswith('…"')


@pytest.mark.parametrize("similarity", [1.0, 0.8])
def test_a_clip_without_words_is_left_alone(similarity: float) -> None:
    assert flagged([None, "", "  ", "...", None, "", "!", "🐶", "…"], max_clips=1, similarity=similarity) == []


def test_nearly_the_same_is_found_and_counted_over_equal_ones() -> None:
    long = "a man in a grey coat crosses the wet street in front of the old station and waits for a late tram"
    near = [long.replace(old, new) for old, new in (("grey", "black"), ("grey", "blue"), ("old", "new"))]
    captions: list[str | None] = [long, "Something else.", *near, long.upper(), "Nothing like it at all."]
    # the two of the first, and what is one word away from them: two words away is too far
    assert flagged(captions, max_clips=3, similarity=0.8) == [0, 2, 3, 5]
    assert flagged(captions, max_clips=4, similarity=0.8) == [0, 5]
    assert flagged(captions, max_clips=5, similarity=0.8) == flagged(captions, max_clips=2, similarity=0.95) == []
    assert flagged(captions, max_clips=1) == [0, 5]
    step = RepeatedCaptions(column="caption", max_clips=4, similarity=0.8)
    detail = next(iter(step.settle(table(captions))))[1].detail
    assert detail.startswith('nearly the same caption is on 5 clips, max_clips 4: "a man in a grey coat')


@given(
    st.permutations(["a b", "a b", "a b", "a b c d e f", "a b c d e g", "x", "x", None]), st.sampled_from([1.0, 0.6])
)
def test_the_order_of_clips_is_of_no_account(captions: list[str | None], similarity: float) -> None:
    found = {captions[at] for at in flagged(captions, max_clips=1, similarity=similarity)}
    assert found == ({"a b", "x"} if similarity == 1 else {"a b", "x", "a b c d e f", "a b c d e g"})


def test_what_counts_as_a_word() -> None:
    assert words("  The DOG's\n2 “toys” – naïve ﬁsh ") == words("the dog s 2 toys naïve fish")
    assert words("一只猫 sits") == ["一", "只", "猫", "sits"]
    assert words("?! …") == []


@pytest.mark.parametrize("options", [{"max_clips": 0}, {"similarity": 0.4}, {"similarity": 1.1}, {"max_clips": None}])
def test_options_out_of_range_are_refused(options: dict[str, float | None]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        RepeatedCaptions.model_validate({"column": "caption", "max_clips": 3, **options})


def test_changing_what_decides_makes_nothing_anew() -> None:
    one, other = RepeatedCaptions(column="c", max_clips=1), RepeatedCaptions(column="c", max_clips=9, similarity=0.9)
    assert one.identity() == other.identity() != RepeatedCaptions(column="d", max_clips=1).identity()
