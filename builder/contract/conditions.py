"""Plain comparisons on the columns of a row: the value that a path leads to, what may be asked, and if it holds.

A path is a column, or a field in one: `structure.shot_type`. Through a list of structs, `structure.subjects.type`, it
leads to the list of all their values. Nothing that a user writes is evaluated: a pattern is RE2's, which takes linear
time whatever the pattern and the text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .clip import PRIVATE_COLUMNS, Columns, Row
from .columns import AnyType, Optional, type_name
from .errors import did_you_mean

Scalar = bool | int | float | str
Wanted = Scalar | tuple[Scalar, ...]
Name = Literal["at_least", "at_most", "is", "is_not", "has_any", "has_none", "matches", "matches_not"]
Family = Literal["text", "number", "bool", "other"]

_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `wanted`: a number for at_least and at_most, a pattern for matches and matches_not, and for the
    others what is allowed, or is not: one value or several.
    """

    name: Name
    wanted: Wanted

    def holds(self, value: Any) -> bool:
        """Of a value that is there (`value_at` is not None) and that `misfit` has nothing against."""
        return _HOLDS[self.name](value, self.wanted)

    def misfit(self, kind: object) -> str | None:
        """Why it cannot be asked of values of this type; None where it can."""
        fitting = _fitting(kind)
        if self.name not in fitting:
            remedy = f"such a column takes {', '.join(fitting)}" if fitting else "name a field of it"
            return f"cannot be asked of {type_name(kind)}; {remedy}"
        wanted = family(kind[0] if isinstance(kind, list | tuple) else kind)
        odd = [one for one in _several(self.wanted) if _family_of(one) != wanted]
        if not odd:
            return None
        given = f'"{shown(odd[0])}"' if isinstance(odd[0], str) else shown(odd[0])
        return f"{given} is never in a column of {type_name(kind)}; write {_WRITTEN[wanted]}"

    def __str__(self) -> str:
        return f"{self.name} {_short(', '.join(map(shown, _several(self.wanted))))}"


def read_at(path: str) -> Columns:
    """What a step `reads` for a path. One with dots is a column that is named so, or else begins in that of its first
    part: `kind_at` says where neither is there.
    """
    first = path.partition(".")[0]
    return {path: AnyType()} if first == path else {name: Optional(AnyType()) for name in (path, first)}


def kind_at(path: str, columns: Columns) -> object:
    """The type that a path leads to. ValueError says what is not there, and what is near."""
    name, fields = _start(path, columns)
    if name not in columns or name in PRIVATE_COLUMNS:
        raise ValueError(f'there is no column "{name}"{did_you_mean(name, sorted(set(columns) - PRIVATE_COLUMNS))}')
    kind, so_far, listed = columns[name], name, False
    for field in fields:
        while isinstance(kind, list | tuple):
            kind, listed = kind[0], True
        if not isinstance(kind, Mapping):
            raise ValueError(f'"{so_far}" is {type_name(kind)}: it has no field "{field}"')
        if field not in kind:
            raise ValueError(f'"{so_far}" has no field "{field}"{did_you_mean(field, kind)}')
        kind, so_far = kind[field], f"{so_far}.{field}"
    return [kind[0] if isinstance(kind, list | tuple) else kind] if listed else kind


def value_at(path: str, row: Row) -> Any:
    """The value that a path leads to; None where it is missing: null, in a struct that is null, or not a number."""
    name, fields = _start(path, row)
    value = _follow(row[name], fields)
    return value if value == value else None  # NaN is not


def shown(value: object) -> str:
    """A value in a message, on one short line: numbers as they are, the items of a list joined by +."""
    if isinstance(value, list | tuple):
        text = "+".join(map(str, value)) or "empty"
    else:
        text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
    return _short(text)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def check_pattern(pattern: str) -> None:
    """ValueError where RE2 cannot read it."""
    import pyarrow as pa

    try:
        _matches("", pattern)
    except pa.ArrowInvalid as error:
        why = str(error).removeprefix("Invalid regular expression: ")
        raise ValueError(
            f"{shown(pattern)} is no pattern of RE2 ({why}); see github.com/google/re2/wiki/Syntax"
        ) from None


def _start(path: str, there: Iterable[str]) -> tuple[str, Sequence[str]]:
    if path in there:
        return path, ()
    name, *fields = path.split(".")
    return name, fields


def _follow(value: Any, fields: Sequence[str]) -> Any:
    if value is None or not fields:
        return value
    if isinstance(value, list):
        found = (_follow(item, fields) for item in value)
        return [item for one in found for item in (one if isinstance(one, list) else [one])]
    return _follow(value[fields[0]], fields[1:])


def _several(wanted: Wanted) -> tuple[Scalar, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def _matches(text: Any, pattern: Any) -> bool:
    import pyarrow.compute as pc

    return bool(pc.match_substring_regex(text, pattern).as_py())


_HOLDS: Mapping[Name, Callable[[Any, Any], bool]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "is": lambda value, wanted: value in _several(wanted),
    "is_not": lambda value, wanted: value not in _several(wanted),
    "has_any": lambda value, wanted: any(item in _several(wanted) for item in value),
    "has_none": lambda value, wanted: all(item not in _several(wanted) for item in value),
    "matches": _matches,
    "matches_not": lambda value, wanted: not _matches(value, wanted),
}
_TAKES: Mapping[Family, tuple[Name, ...]] = {
    "text": ("is", "is_not", "matches", "matches_not"),
    "number": ("at_least", "at_most", "is", "is_not"),
    "bool": ("is", "is_not"),
    "other": (),
}
_WRITTEN: Mapping[Family, str] = {"text": "a text, in quotes", "number": "a number", "bool": "true or false"}


def _fitting(kind: object) -> tuple[Name, ...]:
    """The conditions that can be asked of a type."""
    if isinstance(kind, list | tuple):
        return ("has_any", "has_none") if family(kind[0]) != "other" else ()
    return _TAKES[family(kind)]


def family(kind: object) -> Family:
    """What the values of a column's type are to a condition; lists and structs are other."""
    if not isinstance(kind, str):
        return "other"
    if kind in ("string", "large_string", "json"):
        return "text"
    return "bool" if kind == "bool" else "number" if kind.lstrip("u").startswith(("int", "float")) else "other"


def _family_of(value: Scalar) -> Family:
    return "text" if isinstance(value, str) else "bool" if isinstance(value, bool) else "number"
