"""From a recipe to a plan: which columns there are when, which steps run together, and what each result depends on.

A plan is made before anything runs, and a recipe whose columns do not fit together ends here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..contract.clip import PRIVATE_COLUMNS, Columns
from ..contract.columns import added_by, derived_by, hidden_by, read_by, required
from ..contract.frames import DECODING
from ..contract.identity import json_hash
from ..contract.own_code import code_of
from ..contract.sound import HEARING
from ..contract.step import ClipStep, SplitStep, Step, TableStep
from .columns import (
    Available,
    add_sources,
    caption_problems,
    engine_problems,
    gpu_problems,
    license_problems,
    step_problems,
)
from .describe import Entry, Section, laid_out, options
from .document import recipe_error
from .probe import Probe
from .recipe import Recipe

StageKind = Literal["probe", "clips", "engine", "split", "table"]

_ALONE: Mapping[StageKind, type[Step]] = {"probe": Probe, "split": SplitStep, "table": TableStep}
"""Steps that share their stage with no other."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step in its place: `index` in the recipe (-1: the probe), a name that no other step of the plan has (luma, then
    luma-2), and the key (64 hex digits) under which what it makes is stored.
    """

    index: int
    step: Step
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that run together: over one decode of a clip, on one engine, or over one sight of the whole table."""

    kind: StageKind
    steps: tuple[PlannedStep, ...]
    engine: str | None = None
    """The engine that its steps ask, by its name in the recipe."""
    ends: frozenset[str] = frozenset()
    """The columns that end here, where clips are split."""

    @property
    def title(self) -> str:
        """Its steps' names; no other stage of the plan has it."""
        return " + ".join(planned.name for planned in self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does. `columns`: all that the last step leaves; `published`: those of them that the dataset has."""

    recipe: Recipe
    stages: tuple[Stage, ...]
    columns: Columns
    published: tuple[str, ...]

    def describe(self, *, width: int = 100, styled: bool = False) -> str:
        """The plan for a reader; `styled` for a terminal."""
        sources = [
            Entry(source.shown_as, [("", options(source)), *source.described(), _adds(source.adds())])
            for source in self.recipe.sources
        ]
        stages = [
            Section(f"{number} {stage.kind}", _note(stage), [_entry(planned) for planned in stage.steps])
            for number, stage in enumerate(self.stages, 1)
        ]
        private = sorted(set(self.columns) - set(self.published))
        publish = [
            Entry("caption", [("", _caption(self.recipe))]),
            Entry("media", [("", _media(self.recipe))]),
            Entry("hub", [("", options(self.recipe.publish.hub) if self.recipe.publish.hub else "")]),
            Entry(f"{len(self.published)} columns", [("", ", ".join(self.published))]),
            Entry("kept back", [("", ", ".join(private))]),
        ]
        engines = [Entry(name, [("", options(engine))]) for name, engine in self.recipe.engines.items()]
        sections = [
            Section("sources", "", sources),
            *([Section("engines", "", engines)] if engines else []),
            *stages,
            Section("publish", "", [entry for entry in publish if entry.lines[0][1]]),
        ]
        return laid_out(f"{self.recipe.name} {self.recipe.version}", sections, width=width, styled=styled)


def _media(recipe: Recipe) -> str:
    order = " in the order of the sources" if recipe.publish.order == "source" else ""
    return f"{recipe.publish.media}, in shards of {recipe.publish.shard_size}{order}"


def _caption(recipe: Recipe) -> str:
    if recipe.publish.caption is None:
        return "none"
    without = "rejected" if recipe.publish.uncaptioned == "reject" else "published without .txt"
    return f"{recipe.publish.caption}; a clip that has none is {without}"


def _note(stage: Stage) -> str:
    if stage.engine:
        return f"on the engine {stage.engine}, hundreds of clips at once"
    if stage.kind == "clips":
        steps = (planned.step for planned in stage.steps)
        looks = any(isinstance(step, ClipStep) and (step.sees() or step.hears()) for step in steps)
        return "each clip is decoded once for all of them" if looks else "no clip is decoded"
    return {"probe": "each clip is opened", "split": "one clip becomes many", "table": "all clips at once"}[stage.kind]


def _entry(planned: PlannedStep) -> Entry:
    step = planned.step
    return Entry(planned.name, [("", options(step)), ("reads", ", ".join(required(step))), _adds(step.adds())])


def _adds(columns: Columns) -> tuple[str, str]:
    return "adds", ", ".join(columns)


def make_plan(recipe: Recipe) -> Plan:
    """Prove that a recipe's columns fit together and settle the order of work.

    Raises RecipeError naming every step that does not fit; RunError where a source's table cannot be read.
    """
    problems = [*license_problems(recipe), *gpu_problems(recipe)]
    there = Available()
    problems += add_sources(recipe, there)
    probe = Probe(max_pixels=recipe.decode.max_pixels, max_frames=recipe.decode.max_frames)
    planned: list[PlannedStep] = []
    ends: dict[str, frozenset[str]] = {}

    def add(index: int, step: Step) -> str:
        name = _name(step, [other.step for other in planned])
        planned.append(PlannedStep(index, step, name, _key(step, recipe)))
        return name

    add(-1, probe)
    for index, step in _steps(recipe):
        problems += [*step_problems(recipe, index, step, there), *engine_problems(recipe, index, step)]
        name = add(index, step)
        if isinstance(step, SplitStep):
            ends[name] = there.split(maker=f"steps[{index}] ({name})")
            add(index, probe)
        there.add(added_by(step), maker=f"steps[{index}] ({name})")
    hidden = PRIVATE_COLUMNS.union(*(hidden_by(one.step) for one in planned))
    published = tuple(name for name in there.kinds if name not in hidden)
    problems += caption_problems(recipe, {name: there.kinds[name] for name in published})
    if problems:
        raise recipe_error(problems)
    return Plan(recipe, tuple(_stages(planned, ends)), there.kinds, published)


def _name(step: Step, before: Sequence[Step]) -> str:
    same = sum(other.use == step.use for other in before)
    return f"{step.use}-{same + 1}" if same else step.use


def _steps(recipe: Recipe) -> Iterator[tuple[int, Step]]:
    """The recipe's steps by their places, each after those that it brings with it and that did not run before."""
    ran: list[Step] = []
    for index, step in enumerate(recipe.steps):
        own = step.before() if isinstance(step, TableStep | SplitStep) else ()
        for one in (*(other for other in own if other not in ran), step):
            yield index, one
            ran.append(one)
        if isinstance(step, SplitStep):
            ran.clear()


def _key(step: Step, recipe: Recipe) -> str:
    """Names what the step's values depend on, beside the clip and the columns that it reads: its identity, that of its
    engine, and the decoder.
    """
    engine = recipe.engines.get(_engine(step) or "")
    codes = {"code": code_of(type(step)), "engine_code": engine and code_of(type(engine))}
    return json_hash(
        {
            "step": step.identity(),
            **({"engine": engine.identity()} if engine else {}),
            **{name: code for name, code in codes.items() if code},
            "decoder": f"{recipe.decode.decoder} {DECODING}" if isinstance(step, ClipStep) else None,
            **({"hearing": HEARING} if isinstance(step, ClipStep) and step.hears() else {}),
        }
    )


def _engine(step: Step) -> str | None:
    return step.engine_name() if isinstance(step, ClipStep) else None


def _stages(planned: Sequence[PlannedStep], ends: Mapping[str, frozenset[str]]) -> Iterator[Stage]:
    """Neighbours that can run together are one stage: over one decode of a clip, or on one engine. `ends`: the columns
    that end at a step that splits, by its name.
    """
    for (kind, engine, _), group in itertools.groupby(_kinds(planned), key=lambda found: found[0]):
        steps = tuple(one for _, one in group)
        yield Stage(kind, steps, engine, ends.get(steps[0].name, frozenset()))


def _kinds(planned: Sequence[PlannedStep]) -> Iterator[tuple[tuple[StageKind, str | None, int], PlannedStep]]:
    """Each step with what it can share a stage with; the number tells stages of one kind apart."""
    began, last, together = 0, "", list[Step]()
    for at, one in enumerate(planned):
        engine = _engine(one.step)
        alone = next((kind for kind, steps in _ALONE.items() if isinstance(one.step, steps)), None)
        kind: StageKind = alone or ("engine" if engine else "clips")
        sort = f"{kind} {engine}"
        if alone or sort != last or _needs_more(one.step, together):
            began, last, together = at, sort, []
        together.append(one.step)
        yield (kind, engine, began), one


def _needs_more(step: Step, before: Sequence[Step]) -> bool:
    """Whether a step that looks at clips reads what is made only once all clips of the stage have been looked at."""
    late = {name for other in before for name in derived_by(other)}
    return isinstance(step, ClipStep) and not late.isdisjoint(read_by(step))
