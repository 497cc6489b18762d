"""Drops clips by what stands in a column, whichever it is: a source's, measured, or captioned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator

from ..builder.contract.clip import Columns, Row
from ..builder.contract.conditions import Condition, Name, Scalar, check_pattern, kind_at, read_at, shown, value_at
from ..builder.contract.errors import Reason, Rejection
from ..builder.contract.markers import Judges
from ..builder.contract.step import Step
from ._bounds import check_order

_Values = Scalar | Annotated[tuple[Scalar, ...], Field(min_length=1)]
_REASONS = {"at_least": Reason.BELOW_MIN, "at_most": Reason.ABOVE_MAX}


class Where(Step):
    """Keeps a clip for which all conditions that are given hold. Texts are compared as they are, in their case."""

    model_config = ConfigDict(serialize_by_alias=True)  # a build's record says `is`, as the recipe does

    use: Literal["where"] = "where"
    column: str
    """The column; with dots a field in it, such as structure.shot_type. Of a list of structs (structure.subjects.type)
    it is the list of all their values."""
    at_least: Judges[int | float | None] = None
    """Smallest number that is kept."""
    at_most: Judges[int | float | None] = None
    """Largest number that is kept."""
    is_: Judges[_Values | None] = Field(default=None, alias="is")
    """What it must be: a text, a number, true or false, or a list of those that are allowed."""
    is_not: Judges[_Values | None] = None
    """What it must not be: one value or several."""
    has_any: Judges[_Values | None] = None
    """Of a list: at least one of these is in it."""
    has_none: Judges[_Values | None] = None
    """Of a list: none of these is in it."""
    matches: Judges[str | None] = None
    r"""A regular expression that is found in the text: '(?i)\bsunset'. In RE2's syntax: its time is linear in
    the text's length, and there are no back-references and no looking ahead."""
    matches_not: Judges[str | None] = None
    """A regular expression that is found nowhere in the text."""
    missing: Judges[Literal["drop", "keep"]] = "drop"
    """What becomes of a clip that has no value: null, in a struct that is null, or not a number. An empty list is one,
    and has none of anything."""

    @field_validator("is_", "is_not", "has_any", "has_none", mode="before")
    @classmethod
    def _values(cls, given: object) -> object:
        """Says in one sentence what pydantic would in five, one for each of the types."""
        values = given if isinstance(given, list | tuple) else [given]
        if given is not None and (not values or not all(isinstance(value, Scalar) for value in values)):
            raise ValueError("write a text, a number, true or false, or a list of such")
        return tuple(given) if isinstance(given, list) else given

    @field_validator("matches", "matches_not")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self._conditions:
            raise ValueError(f"where drops nothing: give at least one of {', '.join(get_args(Name))}")
        check_order(self, ("at_least", "at_most"))
        return self

    @property
    def _conditions(self) -> list[Condition]:
        given = {name: getattr(self, "is_" if name == "is" else name) for name in get_args(Name)}
        return [Condition(name, wanted) for name, wanted in given.items() if wanted is not None]

    def reads(self) -> Columns:
        return read_at(self.column)

    def misfits(self, columns: Columns) -> Mapping[str, str]:
        try:
            kind = kind_at(self.column, columns)
        except ValueError as error:
            return {"column": str(error)}
        found = {condition.name: condition.misfit(kind) for condition in self._conditions}
        return {name: said for name, said in found.items() if said is not None}

    def verdict(self, row: Row) -> Rejection | None:
        value = value_at(self.column, row)
        if value is None:
            said = f"{self.column} is missing: missing drop"
            return None if self.missing == "keep" else Rejection(Reason.EXCLUDED, said, "missing")
        for condition in self._conditions:
            if not condition.holds(value):
                reason = _REASONS.get(condition.name, Reason.EXCLUDED)
                return Rejection(reason, f"{self.column} {shown(value)}: {condition}", condition.name)
        return None
