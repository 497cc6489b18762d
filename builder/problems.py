"""What is wrong with a recipe, in the recipe's own terms: file, line, step, option, value, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .errors import RecipeError
from .yaml_lines import Located, Place

_SHOWN = 60  # characters of a value
_NUMBER = re.compile(r"[-+.0-9]")


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
        return Problem(line, ": ".join([f"{self.path}:{line}", *self._names(place), message]))

    def shown(self, place: Place) -> str:
        """The value at a place as it is written there, cut to one short line."""
        if place not in self.located.written:
            return "this"
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


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean "luma"?` where something is near, else the list of what there is."""
    names = list(known)
    near = difflib.get_close_matches(given.lower(), names, n=1)
    return f'; did you mean "{near[0]}"?' if near else f"; there is: {', '.join(names) or 'nothing'}"


def explained(error: ValidationError, model: type[BaseModel], at: Place, document: Document) -> Iterator[Problem]:
    """Pydantic's errors about the block at a place. What a value fails in several ways (a union) is one problem."""
    failures: dict[Place, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        place, name = (*at, *detail["loc"]), str(detail["loc"][-1]) if detail["loc"] else ""
        block = document.located.nearest(place[:-1])
        if detail["type"] == "missing":
            yield document.problem(block, f'option "{name}" is missing')
        elif detail["type"] == "extra_forbidden":
            known = _options(model, detail["loc"][:-1])
            yield document.problem(
                block, f'option "{name}" is not known{did_you_mean(name, known)}', line_of=(*block, name)
            )
        else:
            failures.setdefault(document.located.nearest(place), []).append(detail)
    for place, details in failures.items():
        own = [str(detail["ctx"]["error"]) for detail in details if detail["type"] == "value_error"]
        wants = own or [_wanted(detail, document.shown(place)) for detail in details]
        yield document.problem(place, " or ".join(dict.fromkeys(wants)).replace(" or should", " or"))


def _wanted(detail: ErrorDetails, shown: str) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "string_type" and (_NUMBER.match(shown) or shown.lower() in ("true", "false")):
        return f'{shown} is read as a number or a truth value; quote it: "{shown}"'
    if kind == "union_tag_not_found":
        return f"option {context['discriminator'].replace(chr(39), chr(34))} is missing"
    if kind in ("literal_error", "union_tag_invalid", "enum"):
        given = str(context.get("tag", detail["input"]))
        expected = re.findall(r"'([^']*)'", context.get("expected_tags", context.get("expected", "")))
        return f"{context.get('tag', shown)} should be {' or '.join(expected)}{did_you_mean(given, expected)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{shown} should be a mapping, as in `option: value`"
    return f"{shown} {re.sub('^[A-Z][a-z]+ should', 'should', detail['msg'])}"


def _options(model: type[BaseModel], inside: Sequence[str | int]) -> list[str]:
    """The options of the block that a path leads to from a model; parts of the path that are no field are skipped."""
    models = [model]
    for part in inside:
        fields = [found.model_fields[part] for found in models if isinstance(part, str) and part in found.model_fields]
        if fields:
            models = [inner for found in fields for inner in _models(found.annotation)]
    return sorted({name for found in models for name in found.model_fields})


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _dotted(place: Place) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".")
