"""What a recipe wants to know of a clip: typed answers, as the schema of one request, and as columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from .structure.schema import Schema, a_list, a_text, one_of

TEXT_CHARS = 300  # of a text: two sentences
_RANGE = re.compile(r"(\d{1,2}|100)\.\.(\d{1,2}|100)")
_CHOICE = re.compile(r"\w[\w ,.()/&'+-]{0,63}")  # what cleaning leaves as it is
_WANTED = "write bool, text, whole numbers as in 1..5, or a list of choices as in [film, game, slides]"


def span(text: str) -> range:
    """The numbers of `1..5`, both ends among them. ValueError where it is no such text, or none is between."""
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        raise ValueError(f'"{text}": write whole numbers from 0 to 100, the lower first, as in 1..5')
    return range(int(found[1]), int(found[2]) + 1)


Span = Annotated[str, Field(pattern=r"^\d+\.\.\d+$")]
"""Whole numbers as a recipe writes them."""

Choices = Annotated[tuple[str, ...], Field(min_length=2, max_length=100)]
Kind = Literal["bool", "text"] | Span | Choices


class Wanted(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    question: str | None = Field(default=None, min_length=1, max_length=2000, pattern=r"^[^{}]*$")
    """What is asked; left out: the name says it, or the prompt."""
    type: Kind = "bool"
    """`bool`; `text`, of two sentences at most; whole numbers, as in `1..5`; or a list of choices."""
    several: bool = False
    """Of choices: any number of them, as a list."""

    @field_validator("type", mode="before")
    @classmethod
    def _kind(cls, given: object) -> object:
        """Says in one sentence what pydantic would in four, one for each kind of type."""
        if isinstance(given, str):
            if given not in ("bool", "text"):
                if _RANGE.fullmatch(given) is None:
                    raise ValueError(f'"{given}" is no type; {_WANTED}')
                span(given)
            return given
        if not isinstance(given, list | tuple) or not 2 <= len(given) <= 100:
            raise ValueError(f"{_WANTED}, two at least")
        for choice in given:
            if not isinstance(choice, str) or _CHOICE.fullmatch(choice) is None:
                raise ValueError(f"{choice!r:.80} is no choice; write a few letters or digits, numbers in quotes")
        if len({choice.casefold() for choice in given}) < len(given):
            raise ValueError("a choice is there twice; leave one out")
        return tuple(given)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.several and self.choices is None:
            raise ValueError("several is for a list of choices; leave it out")
        return self

    @property
    def choices(self) -> tuple[str, ...] | None:
        return self.type if isinstance(self.type, tuple) else None

    @property
    def numbers(self) -> range | None:
        return span(self.type) if isinstance(self.type, str) and self.type not in ("bool", "text") else None

    def column(self) -> object:
        """The type of its column."""
        if self.choices:
            return ["string"] if self.several else "string"
        return "int64" if self.numbers else "bool" if self.type == "bool" else "string"

    def schema_of(self) -> Schema:
        """What its answer is decoded under."""
        if self.choices:
            return a_list(one_of(self.choices), at_most=len(self.choices)) if self.several else one_of(self.choices)
        if self.numbers:  # listed, as not every grammar knows bounds
            return {"type": "integer", "enum": list(self.numbers)}
        return {"type": "boolean"} if self.type == "bool" else a_text(TEXT_CHARS)

    def told(self, name: str) -> str:
        """The line by which a model is asked for it."""
        question = f": {' '.join(self.question.split())}" if self.question else ""
        return f'"{name}" ({self._form()}){question}'

    def _form(self) -> str:
        if self.choices:
            choices = ", ".join(f'"{choice}"' for choice in self.choices)
            return f"a list of all that hold of {choices}; [] for none" if self.several else f"one of {choices}"
        if numbers := self.numbers:
            return f"a whole number from {numbers[0]} to {numbers[-1]}"
        return "true or false" if self.type == "bool" else "one or two sentences"

    def misfit(self, kept: Kept) -> str | None:
        """Why this can be no answer to keep; None where it can."""
        if self.several or self.type == "text":
            return "such an answer is judged by a step where, after this one"
        possible: tuple[object, ...] = self.choices or (True, False)
        if self.numbers:
            possible = tuple(self.numbers)
        odd = [one for one in allowed(kept) if type(one) is not type(possible[0]) or one not in possible]
        if not odd:
            return None
        return f"{odd[0]!r} is never the answer; it is {self._form()}"


Kept = bool | int | str | tuple[str, ...]
"""Answers that are kept: one, several, or numbers as in `3..5`."""


def allowed(kept: Kept) -> tuple[bool | int | str, ...]:
    """One by one."""
    if isinstance(kept, tuple):
        return kept
    return tuple(span(kept)) if isinstance(kept, str) and _RANGE.fullmatch(kept) else (kept,)


def _long(given: object) -> object:
    return {"type": given} if isinstance(given, str | list | tuple) else given


Answers = Annotated[
    Mapping[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")],
        Annotated[Wanted, BeforeValidator(_long, json_schema_input_type=Wanted | Kind)],
    ],
    Field(min_length=1, max_length=100),
]
"""In a recipe: names, each with a type, or with a question and a type."""
