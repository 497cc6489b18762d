"""The columns along a recipe: what is there for each step, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from ..contract.clip import PRIVATE_COLUMNS, PROBE_COLUMNS, SOURCE_COLUMNS, Columns
from ..contract.columns import AnyType, added_by, read_by, required, stored_by, type_name
from ..contract.engine import Ask
from ..contract.errors import did_you_mean
from ..contract.identity import Json
from ..contract.source import forbids_redistribution
from ..contract.step import ClipStep, SplitStep, Step
from . import discovery
from .document import Problem
from .recipe import Recipe
from .yaml_lines import Place


@dataclass(slots=True)
class Available:
    """The columns at a point of a recipe, and who added them; nobody in the recipe, where every clip has them.

    `listed`: those that the sources give. `ended`: those that a split has ended, by what it is called.
    """

    kinds: Json = field(default_factory=lambda: {**SOURCE_COLUMNS, **PROBE_COLUMNS})
    makers: dict[str, str] = field(default_factory=dict)
    listed: set[str] = field(default_factory=lambda: set(SOURCE_COLUMNS))
    ended: dict[str, str] = field(default_factory=dict)

    def add(self, columns: Columns, *, maker: str) -> None:
        for name, kind in columns.items():
            self.kinds.setdefault(name, kind)
            self.makers.setdefault(name, maker)
            self.ended.pop(name, None)

    def split(self, *, maker: str) -> frozenset[str]:
        """Leave what the sources give; returns the names of the columns that end. Every clip is probed anew."""
        ends = frozenset(self.kinds) - self.listed
        for name in ends:
            del self.kinds[name]
            if self.makers.pop(name, None):
                self.ended[name] = maker
        self.kinds = {**SOURCE_COLUMNS, **PROBE_COLUMNS, **self.kinds}
        return ends


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
                other = f"{there.makers[name]} as {type_name(there.kinds[name])}"
                yield recipe.problem(
                    ("sources", index),
                    f'adds the column "{name}" as {type_name(kind)}, {other}; '
                    f"give it one type or another name{_or_without(recipe, [name])}",
                )
            there.makers.setdefault(name, f"sources[{index}] ({source.use})")
            there.listed.add(name)


def step_problems(recipe: Recipe, index: int, step: Step, there: Available) -> Iterator[Problem]:
    """What a step reads and nobody added before, reads as another type, or adds again. `index`: of it, or of the one
    that brings it.
    """
    place = ("steps", index)
    for name in required(step):
        if name not in there.kinds:
            yield recipe.problem(
                place, f'reads the column "{name}", which is not there{_remedy(recipe, index, name, there)}'
            )
    for name, kind in read_by(step).items():
        if name in there.kinds and there.kinds[name] != kind and not isinstance(kind, AnyType):
            maker, has = there.makers.get(name, "every clip"), there.kinds[name]
            embeds = has == "string" and kind == ["float32"] and "embed" in type(step).model_fields
            remedy = "; say with `embed` how a text becomes a vector" if embeds else ""
            yield recipe.problem(
                place, f'reads the column "{name}" as {type_name(kind)}; {maker} has it as {type_name(has)}{remedy}'
            )
    if required(step).keys() <= there.kinds.keys():
        for option, said in step.misfits(there.kinds).items():
            yield recipe.problem((*place, option), said)
    taken: dict[str, list[str]] = {}
    stay = there.listed.union(PROBE_COLUMNS) if isinstance(step, SplitStep) else there.kinds
    for name in added_by(step):
        if name in stay:
            taken.setdefault(there.makers.get(name, ""), []).append(name)
    for maker, names in taken.items():
        has = (
            f"{maker} adds too; leave one of them out{_or_without(recipe, names)}"
            if maker
            else "every clip has already"
        )
        yield recipe.problem(place, f"adds the column {_quoted(names)}, which {has}")
    if not isinstance(step, ClipStep | SplitStep) and (names := list(stored_by(step))):
        yield recipe.problem(
            place, f"adds the column {_quoted(names)}, which it does not make: make it a ClipStep, or mark it Derived"
        )


def engine_problems(recipe: Recipe, index: int, step: Step) -> Iterator[Problem]:
    """A step that asks an engine which the recipe does not name, or what that one cannot do."""
    name = step.engine_name() if isinstance(step, ClipStep) else None
    place = ("steps", index, *(("engine",) if "engine" in type(step).model_fields else ("embed", "engine")))
    if name in recipe.engines and isinstance(step, ClipStep):
        yield from _unable(recipe, place, name, step.asks)
    if name is None or name in recipe.engines:
        return
    known = list(recipe.engines)
    example = f"; add it, as in `engines: {{{name}: {{{_example(step)}}}}}`"
    yield recipe.problem(place, f'there is no engine "{name}"{did_you_mean(name, known) if known else example}')


def _example(step: Step) -> str:
    """How an engine is written that can do what the step wants."""
    kinds = _kinds(step.asks if isinstance(step, ClipStep) else "complete")
    use = "vllm" if "vllm" in kinds else kinds[0]
    options = [f"{name}: ..." for name in ("model", "revision") if name in discovery.engines()[use].model_fields]
    return ", ".join([f"use: {use}", *options])


def _kinds(asks: Ask) -> list[str]:
    """The engines that can do it, by the names of their files."""
    return [use for use, spec in discovery.engines().items() if asks in spec.answers]


_ASKED: Mapping[Ask, str] = {
    "complete": "captions",
    "embed_images": "embeds pictures",
    "embed_texts": "embeds texts",
    "classify": "classifies pictures",
    "read_text": "reads texts in pictures",
}


def _unable(recipe: Recipe, place: Place, name: str, asks: Ask) -> Iterator[Problem]:
    """An engine that is for something else than the step wants of it."""
    engine = recipe.engines[name]
    if asks not in engine.answers:
        does = " and ".join(_ASKED[one] for one in sorted(engine.answers))
        fit = [other for other, spec in recipe.engines.items() if asks in spec.answers]
        instead = f"name {' or '.join(fit)}" if fit else f"add one with `use: {' or '.join(_kinds(asks))}`"
        yield recipe.problem(
            place,
            f'"{name}" is an engine that {does} (`use: {engine.use}`), none that {_ASKED[asks]}; {instead}',
        )


def gpu_problems(recipe: Recipe) -> Iterator[Problem]:
    """Engines that are to share a GPU of which they want more than there is."""
    shares = {name: spec.gpu_share() or 0.0 for name, spec in recipe.engines.items() if spec.gpus_each()}
    shares = {name: share for name, share in shares.items() if share}
    if len(shares) > 1 and sum(shares.values()) > 1 + 1e-9:
        told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        last = list(shares)[-1]
        yield recipe.problem(
            ("engines", last, "gpu_memory_utilization"),
            f"the engines that share a GPU want {sum(shares.values()):.4g} of it ({told}); give them at most 1, "
            "or leave the option out of one: it has the GPU for itself then, and takes turns with the others",
        )


def _or_without(recipe: Recipe, names: Sequence[str]) -> str:
    """How each source that adds one of the columns is told not to."""
    ways = list[str]()
    for index, source in enumerate(recipe.sources):
        if way := source.left_out_by([name for name in names if name in source.adds()]):
            ways.append(f"{way} in sources[{index}] ({source.shown_as})")
    return f", or say {' and '.join(ways)}" if ways else ""


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _remedy(recipe: Recipe, index: int, column: str, there: Available) -> str:
    """What to do about a column that is missing before a step."""
    if column in there.ended:
        return f" any more: {there.ended[column]} makes other clips of those that it was made for; add it behind that"
    for later, step in enumerate(recipe.steps):
        if later > index and column in added_by(step):
            return f"; steps[{later}] ({step.use}) adds it: put that one before"
    for use, found in discovery.steps().items():
        try:
            if column in added_by(found(use=use)):
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
        yield recipe.problem(place, f'"{caption}" is no text but {type_name(published[caption])}')


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
