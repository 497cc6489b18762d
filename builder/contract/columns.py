"""What a step says of its columns: which it reads and adds, with their types, and what is special about one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clip import Columns
    from .step import Step


@dataclass(frozen=True, slots=True)
class Optional:
    """In `reads`: a column that is used where an earlier step adds it."""

    kind: object


@dataclass(frozen=True, slots=True)
class Hidden:
    """In `adds`: a column that is for other steps and is not published, such as an embedding."""

    kind: object


@dataclass(frozen=True, slots=True)
class Derived:
    """In `adds`: a column that is never stored: `derive` makes it from those that are."""

    kind: object


@dataclass(frozen=True, slots=True)
class AnyType:
    """In `reads`: for a type, where any will do, or where `Step.misfits` says which will not."""


def required(step: Step) -> Columns:
    """The columns that must be there for a step, with their plain types."""
    return {name: kind for name, kind in step.reads().items() if not isinstance(kind, Optional)}


def read_by(step: Step) -> Columns:
    """All columns that a step reads, those that it reads where they are there too, with their plain types."""
    return _plain(step.reads())


def added_by(step: Step) -> Columns:
    """All columns that a step adds, with their plain types."""
    return _plain(step.adds())


def stored_by(step: Step) -> Columns:
    """The columns that a step makes clip by clip and that are kept."""
    return {name: _kind(kind) for name, kind in step.adds().items() if not _is(kind, Derived)}


def derived_by(step: Step) -> Columns:
    """The columns that a step derives from others at every run."""
    return {name: _kind(kind) for name, kind in step.adds().items() if _is(kind, Derived)}


def hidden_by(step: Step) -> frozenset[str]:
    """The names of the columns that a step adds for other steps."""
    return frozenset(name for name, kind in step.adds().items() if _is(kind, Hidden))


def type_name(kind: object) -> str:
    """A column's type for a reader: float64, list of string, struct of start, end."""
    if isinstance(kind, Mapping):
        return "struct of " + ", ".join(kind)
    return f"list of {type_name(kind[0])}" if isinstance(kind, list | tuple) else str(kind)


def _plain(columns: Columns) -> Columns:
    return {name: _kind(kind) for name, kind in columns.items()}


def _kind(kind: object) -> object:
    while isinstance(kind, Optional | Hidden | Derived):
        kind = kind.kind
    return kind


def _is(kind: object, marker: type[object]) -> bool:
    while isinstance(kind, Optional | Hidden | Derived):
        if isinstance(kind, marker):
            return True
        kind = kind.kind
    return False
