"""The columns along a recipe: what is there for each step, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..contract.clip import PRIVATE_COLUMNS, PROBE_COLUMNS, SOURCE_COLUMNS, Columns
from ..contract.source import forbids_redistribution
from ..contract.step import Captioner, Signal
from . import discovery
from .document import Problem, did_you_mean
from .recipe import Recipe


@dataclass(slots=True)
class Available:
    """The columns at a point of a recipe, and who added them; nobody in the recipe, where every clip has them."""

    kinds: dict[str, Any] = field(default_factory=lambda: {**SOURCE_COLUMNS, **PROBE_COLUMNS})
    makers: dict[str, str] = field(default_factory=dict)

    def add(self, columns: Columns, *, maker: str) -> None:
        for name, kind in columns.items():
            self.kinds.setdefault(name, kind)
            self.makers.setdefault(name, maker)


def add_sources(recipe: Recipe, there: Available) -> Iterator[Problem]:
    """Sources may share a column of one type: a clip of the others has none in it."""
    base = set(there.kinds)
    names = [source.shown_as for source in recipe.sources]
    for index, source in enumerate(recipe.sources):
        if source.shown_as in names[:index]:
            yield recipe.problem(
                ("sources", index), f'is the second source named "{source.shown_as}"; tell them apart with a `label`'
            )
        for name, kind in source.adds().items():
            if name in base:
                yield recipe.problem(("sources", index), f'adds a column "{name}", which every clip has already')
            elif there.kinds.setdefault(name, kind) != kind:
                yield recipe.problem(
                    ("sources", index),
                    f'adds the column "{name}" as {shown(kind)}, {there.makers[name]} as {shown(there.kinds[name])}; '
                    "give it one type or another name",
                )
            there.makers.setdefault(name, f"sources[{index}] ({source.use})")


def step_problems(recipe: Recipe, index: int, there: Available) -> Iterator[Problem]:
    """What a step reads and nobody added before, reads as another type, or adds again."""
    step, place = recipe.steps[index], ("steps", index)
    for name in step.reads():
        if name not in there.kinds:
            yield recipe.problem(
                place, f'reads the column "{name}", which is not there{_remedy(recipe, index, name, there)}'
            )
    for name, kind in {**step.may_read(), **step.reads()}.items():
        if name in there.kinds and there.kinds[name] != kind:
            maker = there.makers.get(name, "every clip")
            yield recipe.problem(
                place, f'reads the column "{name}" as {shown(kind)}; {maker} has it as {shown(there.kinds[name])}'
            )
    taken: dict[str, list[str]] = {}
    for name in {**step.adds(), **(step.stored() if isinstance(step, Signal) else {})}:
        if name in there.kinds:
            taken.setdefault(there.makers.get(name, ""), []).append(name)
    for maker, names in taken.items():
        has = f"{maker} adds too; leave one of them out" if maker else "every clip has already"
        yield recipe.problem(place, f"adds the column {_quoted(names)}, which {has}")


def engine_problems(recipe: Recipe, index: int) -> Iterator[Problem]:
    """A captioner that asks an engine which the recipe does not name."""
    step = recipe.steps[index]
    name = step.engine_name() if isinstance(step, Captioner) else None
    if name is None or name in recipe.engines:
        return
    known = list(recipe.engines)
    example = f"; add it, as in `engines: {{{name}: {{use: vllm, model: ..., revision: ...}}}}`"
    yield recipe.problem(
        ("steps", index, "engine"), f'there is no engine "{name}"{did_you_mean(name, known) if known else example}'
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _remedy(recipe: Recipe, index: int, column: str, there: Available) -> str:
    """What to do about a column that is missing before a step."""
    for later, step in enumerate(recipe.steps):
        if later > index and column in step.adds():
            return f"; steps[{later}] ({step.use}) adds it: put that one before"
    for use, found in discovery.steps().items():
        try:
            if column in found(use=use).adds():
                return f"; a step `use: {use}` adds it: put one before"
        except ValidationError:  # it has options that must be given
            continue
    return did_you_mean(column, sorted(set(there.kinds) - PRIVATE_COLUMNS))


def caption_problems(recipe: Recipe, published: Columns) -> Iterator[Problem]:
    caption, place = recipe.publish.caption, ("publish", "caption")
    if caption is None:
        return
    texts = [name for name, kind in published.items() if kind == "string"]
    if caption not in published:
        yield recipe.problem(place, f'there is no column "{caption}" to publish{did_you_mean(caption, texts)}')
    elif caption not in texts:
        yield recipe.problem(place, f'"{caption}" is no text but {shown(published[caption])}')


def license_problems(recipe: Recipe) -> Iterator[Problem]:
    """Media to be embedded whose licence forbids it: the corpus's own, whatever the recipe says, or the recipe's."""
    for index, source in enumerate(recipe.sources):
        said = source.license or ""
        if recipe.publish.media != "embed" or (source.redistributable and not forbids_redistribution(said)):
            continue
        license = said if forbids_redistribution(said) else type(source).model_fields["license"].default
        yield recipe.problem(
            ("sources", index),
            f'its videos may not be published (license "{license}"); set publish.media: reference, which publishes '
            "ids, times, addresses and captions only",
        )


def shown(kind: Any) -> str:
    """A column's type for a reader: float64, list of string, struct of start, end."""
    if isinstance(kind, Mapping):
        return "struct of " + ", ".join(kind)
    return f"list of {shown(kind[0])}" if isinstance(kind, list | tuple) else str(kind)
