"""What an option is for, said where it is declared: `max: Judges[float | None] = None`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Marker:
    """What an option is for; `marked` finds the fields that carry it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


JUDGES, PLACEMENT = Marker("Judges"), Marker("Placement")

Judges = Annotated[T, JUDGES]
"""An option that only judges stored values: no part of what they are stored under."""

Placement = Annotated[T, PLACEMENT]
"""An option that says where or how fast: no part of what is made."""


def marked(model: type[BaseModel], marker: Marker) -> set[str]:
    """The names of a model's fields that carry a marker."""
    return {name for name, field in model.model_fields.items() if marker in field.metadata}
