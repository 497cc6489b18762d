"""The step that makes vectors of a text column, and how a recipe says what makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.columns import hidden_by
from shotscribe.builder.contract.engine import NO_ENGINE, Engine, Vectors
from shotscribe.builder.contract.errors import RunError
from shotscribe.filters.embed.hashing import hashed
from shotscribe.filters.embed.texts import TextEmbedding


class Lengths(Engine):
    """A text's vector is its length, twice."""

    def __init__(self) -> None:
        self.asked = list[str]()

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.asked.extend(texts)
        return np.array([[len(text), len(text)] for text in texts], np.float32)


def step(**embed: Any) -> TextEmbedding:
    return TextEmbedding.model_validate({"column": "caption", "embed": embed})


def vector(made: TextEmbedding, text: str | None, engine: Engine = NO_ENGINE) -> Any:
    clip = Clip({"caption": text}, lambda _: pytest.fail("it looks at no frame"))
    (value,) = asyncio.run(made.make(clip, engine)).values()
    return value


def test_a_text_is_hashed_without_an_engine() -> None:
    assert step(use="hashing").engine_name() is None
    assert (vector(step(use="hashing"), "a cat") == hashed(["a cat"])[0]).all()


def test_an_engine_is_asked_for_texts_that_say_something() -> None:
    engine = Lengths()
    made = step(engine="bert")
    assert made.engine_name() == "bert"
    assert made.asks == "embed_texts"
    assert vector(made, "a cat", engine).tolist() == [5, 5]
    assert [vector(made, text, engine) for text in (None, "", " \n")] == [None] * 3
    assert engine.asked == ["a cat"]


def test_vectors_by_an_engine_and_by_wording_are_columns_of_their_own() -> None:
    one, other = step(use="hashing"), step(engine="bert")
    assert (set(one.adds()), set(other.adds())) == ({"caption_hashing"}, {"caption_embedding"})
    assert hidden_by(one) == {"caption_hashing"}
    assert one.identity() != other.identity() == step(engine="another").identity()


def test_an_engine_that_has_no_vectors_says_so() -> None:
    with pytest.raises(RunError, match="has no vectors of texts"):
        vector(step(engine="bert"), "a cat")


@pytest.mark.parametrize(
    ("embed", "said"),
    [
        ({"use": "word2vec"}, "should be {use: hashing}, or name an engine of the recipe, as in {engine: sentence}"),
        ({}, "should be {use: hashing}, or name an engine"),
        ({"use": "hashing", "model": "x"}, "model"),
        ({"engine": "bert", "pooling": "cls"}, "pooling"),
    ],
)
def test_wrong_options_are_refused(embed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        step(**embed)
