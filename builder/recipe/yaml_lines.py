"""YAML that keeps where each value stands, and is only data.

No tags, no anchors and aliases, no second document, no key twice, no endless depth. Plain scalars are read as in YAML
1.2, which editors follow: `yes`, `on`, `1:30`, `007` and `2026-11-01` are text, not what YAML 1.1 makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..contract.identity import Json

Place = tuple[str | int, ...]
"""Where a value is: keys and list positions from the top."""

_DEEPEST = 20
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BEYOND = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
_WORDS: Mapping[str, bool | None] = {"": None, "~": None} | {
    spelled: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelled in (word, word.capitalize(), word.upper())
}


class YamlError(Exception):
    """Text that is refused; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(line, message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class Located:
    """A document's value, and of each value in it the line (from 1; of a mapping's entry, its key's) and, for a scalar,
    its text as written."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)

    def nearest(self, place: Place) -> Place:
        """The deepest place in the document on the way to a place; parts that lead nowhere are skipped."""
        found: Place = ()
        for part in place:
            if (*found, part) in self.lines:
                found = (*found, part)
        return found


def parse(text: str) -> Located:
    """The one document in a text. Raises YamlError."""
    try:
        return _Reader(text).read()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"the character {text[error.position]!a} is not allowed in YAML") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    except (ValueError, OverflowError):  # PyYAML calls chr() with whatever \UXXXXXXXX says
        escape = _BEYOND.search(text)
        line = text.count("\n", 0, escape.start()) + 1 if escape else 1
        raise YamlError(line, "a \\U escape beyond the last character, \\U0010FFFF") from None


class _Reader:
    """Values from PyYAML's events, one at a time: what is refused is refused before it can grow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self.located = Located()

    def read(self) -> Located:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent) and self.located.lines:
                raise YamlError(_line(event), "a second document; a recipe is one, without `---` in it")
            if isinstance(event, yaml.NodeEvent):
                self.located.value = self._value(event, ())
        return self.located

    def _value(self, event: yaml.Event, place: Place) -> object:
        line = _line(event)
        self.located.lines.setdefault(place, line)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise YamlError(line, f"anchors and aliases (&{event.anchor}, *{event.anchor}) are refused; write it out")
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise YamlError(line, f"the tag {shown} is refused; a recipe is plain values without tags")
        if len(place) > _DEEPEST:
            raise YamlError(line, f"nested deeper than {_DEEPEST} levels")
        if isinstance(event, yaml.ScalarEvent):
            if event.start_mark and event.end_mark:
                self.located.written[place] = self.text[event.start_mark.index : event.end_mark.index]
            return _scalar(event)
        return self._sequence(place) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(place)

    def _sequence(self, place: Place) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _mapping(self, place: Place) -> Json:
        entries: Json = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
                raise YamlError(line, "a key must be plain text")
            key = _text(event)
            entry = (*place, key)
            if key in entries:
                first = self.located.lines[entry]
                raise YamlError(line, f'the key "{key}" stands twice, first on line {first}; leave one')
            self.located.lines[entry] = line
            entries[key] = self._value(next(self.events), entry)
        return entries


def _scalar(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    value = _text(event)
    if not event.implicit[0]:  # quoted, or a block
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _INT.fullmatch(value):
        return int(value)
    if len(value) <= 100 and _FLOAT.fullmatch(value) and not re.fullmatch(r"[-+]?[0-9]{19,}", value):
        number = float(value)
        if number in (float("inf"), float("-inf")):
            raise YamlError(_line(event), f"{value} is too large a number")
        return number
    return value


def _text(event: yaml.ScalarEvent) -> str:
    """Its text, which must be text: an escape such as "\\ud800" or "\\0" is no character of any name or caption."""
    value: str = event.value
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise YamlError(_line(event), f"{value!a} holds an escape that is no character")
    return value


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _syntax(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or "'\\t'" in (error.problem or ""):
        return YamlError(line, f"a tab; indent with spaces\n    {shown.expandtabs(4)}")
    problem = " ".join(part for part in (error.context, error.problem) if part)
    began = (
        f" (begun on line {error.context_mark.line + 1})"
        if error.context_mark and error.context_mark.line + 1 != line
        else ""
    )
    pointer = f"\n    {shown}\n    {' ' * mark.column}^" if mark else ""
    return YamlError(line, f"not valid YAML: {problem}{began}{pointer}")
