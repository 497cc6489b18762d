"""A recipe's file: its text, what stands where in it, and how a problem with it is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..contract.errors import RecipeError, did_you_mean
from .yaml_lines import Located, Place, YamlError, parse

_LARGEST = 1 << 20  # bytes of a recipe
_SHOWN = 60  # characters of a value


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend; `text` is the whole line: `recipes/x.yaml:12: steps[3] (luma): ...`."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe's file as the user named it, and what stands where in it."""

    path: Path
    located: Located

    def problem(self, place: Place, message: str, *, line_of: Place | None = None) -> Problem:
        """A problem at a place, whose line is that of `line_of` where it is another."""
        line = self.located.lines.get(self.located.nearest(place if line_of is None else line_of), 1)
        text = ": ".join([f"{self.path}:{line}", *self._names(place), message])
        return Problem(line, "".join(one if one.isprintable() else repr(one)[1:-1] for one in text))

    def shown(self, place: Place) -> str:
        """The value at a place as it is written there, cut to one short line; of a list or mapping, which it is."""
        if place not in self.located.written:
            value = self.located.value
            for part in place:
                value = value[part]
            return kind_of(value)
        written = " ".join(self.located.written[place].split()) or "nothing"
        return written if len(written) <= _SHOWN else written[: _SHOWN - 3] + "..."

    def _names(self, place: Place) -> list[str]:
        """`steps[3] (luma)` and `embed.model`; either may be missing."""
        if len(place) < 2 or place[0] not in ("sources", "steps"):
            return [_dotted(place)] if place else []
        block = self.located.value[place[0]][place[1]]
        use = block.get("use") if isinstance(block, dict) else None
        named = f"{place[0]}[{place[1]}]" + (f" ({use})" if isinstance(use, str) else "")
        return [named, _dotted(place[2:])] if len(place) > 2 else [named]


def recipe_error(problems: Iterable[Problem]) -> RecipeError:
    """All problems as one error, a line each, in the order of the file."""
    return RecipeError("\n".join(problem.text for problem in sorted(set(problems))))


def read_document(path: Path) -> Document:
    """A file whose content is one YAML mapping. Raises RecipeError."""
    text = _text(path)
    try:
        document = Document(path, parse(text))
    except YamlError as error:
        raise RecipeError(f"{path}:{error.line}: {error.message}") from None
    value = document.located.value
    if value is None:
        raise RecipeError(f"{path}: is empty; a recipe has name, version, sources and steps")
    if not isinstance(value, dict):
        raise RecipeError(f"{path}:1: a recipe is a mapping, as in `name: my-dataset`; this is {kind_of(value)}")
    return document


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RecipeError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _LARGEST:
        raise RecipeError(f"{path}: is larger than {_LARGEST >> 20} MiB; is it a recipe?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: is not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from None


def kind_of(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    return "nothing" if value is None else f"the text {value!r}" if isinstance(value, str) else f"the value {value!r}"


def _dotted(place: Place) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".")


def explained(error: ValidationError, model: type[BaseModel], at: Place, document: Document) -> Iterator[Problem]:
    """Pydantic's errors about the block at a place. What a value fails in several ways (a union) is one problem."""
    failures: dict[Place, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        place, name = (*at, *detail["loc"]), str(detail["loc"][-1]) if detail["loc"] else ""
        block = document.located.nearest(place[:-1])
        if detail["type"] == "missing":
            yield document.problem(block, f'option "{name}" is missing')
        elif detail["type"] == "union_tag_not_found":
            yield document.problem(document.located.nearest(place), 'option "use" is missing')
        elif detail["type"] == "extra_forbidden":
            known = _options(model, detail["loc"][:-1])
            yield document.problem(
                block, f'option "{name}" is not known{did_you_mean(name, known)}', line_of=(*block, name)
            )
        else:
            tag = ("use",) if detail["type"] == "union_tag_invalid" else ()
            failures.setdefault(document.located.nearest((*place, *tag)), []).append(detail)
    for place, details in failures.items():
        own = [str(detail["ctx"]["error"]) for detail in details if detail["type"] == "value_error"]
        wants = " or ".join(dict.fromkeys(_wanted(detail) for detail in details)).replace(" or should", " or")
        yield document.problem(place, "; ".join(own) or f"{document.shown(place)} {wants}")


def _wanted(detail: ErrorDetails) -> str:
    """What a value should be."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "string_type" and isinstance(given, int | float):
        return f"is read as {'true or false' if isinstance(given, bool) else 'a number'}; put it in quotes"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = re.findall(r"'([^']*)'", context.get("expected_tags") or context["expected"])
        near = difflib.get_close_matches(str(context.get("tag", given)), expected, n=1)
        return f"should be {' or '.join(expected)}" + (f'; did you mean "{near[0]}"?' if near else "")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "should be a mapping, as in `option: value`"
    return re.sub("^[A-Z][a-z]+ should", "should", detail["msg"])


def _options(model: type[BaseModel], inside: Sequence[str | int]) -> list[str]:
    """The options of the block that pydantic's location leads to: of fields, and of tags that choose among blocks."""
    models = [model]
    for part in map(str, inside):
        fields = [found.model_fields[part] for found in models if part in found.model_fields]
        if fields:
            models = [inner for found in fields for inner in _models(found.annotation)]
        else:
            models = [found for found in models if part in _tags(found)] or models
    return sorted({field.alias or name for found in models for name, field in found.model_fields.items()})


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _tags(model: type[BaseModel]) -> tuple[object, ...]:
    return get_args(model.model_fields["use"].annotation) if "use" in model.model_fields else ()
