"""What pydantic finds wrong with a block of a recipe, in the recipe's own terms, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .document import Document, Problem
from .yaml_lines import Place


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
    return sorted({name for found in models for name in found.model_fields})


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["use"].annotation) if "use" in model.model_fields else ()
