"""A recipe: what a YAML file says, checked option by option by the classes of the steps and sources that it names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Set
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError, field_validator

from ..contract.address import without_secrets
from ..contract.engine import EngineSpec
from ..contract.errors import RunError, did_you_mean
from ..contract.identity import Json
from ..contract.limits import Decode
from ..contract.locations import RecipePath
from ..contract.own_code import code_of
from ..contract.source import Source
from ..contract.step import Step
from . import discovery
from .document import Document, Problem, explained, kind_of, read_document, recipe_error
from .yaml_lines import Place

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?B)")

_PATH = TypeAdapter(RecipePath)

Block = TypeVar("Block", bound=BaseModel)


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Hub(_Options):
    """Where `--push` publishes to on the Hugging Face Hub."""

    repo: str
    """The dataset's repository: `owner/name`."""
    private: bool = True
    """Only its owner sees it."""

    @field_validator("repo")
    @classmethod
    def _named(cls, repo: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repo, re.ASCII):
            raise ValueError(f'"{repo}" is no repository; write owner/name')
        return repo


class Publish(_Options):
    """What the dataset is made of."""

    caption: str | None = None
    """The text column that becomes each clip's `.txt`; none, if left out."""
    uncaptioned: Literal["reject", "keep"] = "reject"
    """What becomes of a clip whose caption is missing or blank: rejected as an error, or published without `.txt`."""
    media: Literal["embed", "reference"] = "embed"
    """`embed` puts the clips into the shards; `reference` publishes ids, times, addresses and captions only."""
    shard_size: str = "1GB"
    """About how large a shard grows: 500MB, 1GB, 1.5GB."""
    order: Literal["shuffled", "source"] = "shuffled"
    """`shuffled`: every shard has clips from all over the corpus, and one that comes or goes changes a single shard;
    `source`: the clips follow one another as in their sources."""
    hub: Hub | None = None
    """Where `--push` publishes to."""

    @field_validator("shard_size")
    @classmethod
    def _sized(cls, size: str) -> str:
        if _bytes(size) < 1:
            raise ValueError(f'"{size}" is no size; write a number and a unit, such as 500MB or 1GB')
        return size

    @property
    def shard_bytes(self) -> int:
        return _bytes(self.shard_size)


class Run(_Options):
    """Where and how fast: nothing here changes what is made."""

    executor: Literal["local"] = "local"
    """`local`: processes on this machine."""
    workers: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Worker processes; `auto` is one a CPU core."""
    gpus: Annotated[int, Field(ge=0)] | Literal["all"] = "all"
    """How many of this machine's GPUs engines may use: of those that CUDA_VISIBLE_DEVICES leaves, where it is set."""
    piece_rows: int = Field(default=1000, ge=1)
    """About how many clips are worked on, and stored, together."""
    connections: int = Field(default=8, ge=1, le=256)
    """How many files are fetched from addresses at once, each in a process of its own."""
    connections_per_host: int = Field(default=8, ge=1, le=256)
    """And how many from one host."""
    max_reject_rate: float = Field(default=0.2, ge=0, le=1)
    """The share of a stage's clips that may fail; more, and the run stops."""


class Head(_Options):
    """What a recipe says beside its sources and steps."""

    name: str
    """Names the dataset and its folder: lower-case letters, digits, - and _."""
    version: str
    """The dataset's own version, such as 2026.11.0; quote it where it looks like a number."""
    description: str | None = None
    """One or two sentences for the dataset's card."""
    publish: Publish = Publish()
    decode: Decode = Decode()
    run: Run = Run()

    @field_validator("name")
    @classmethod
    def _slug(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,95}", name):
            raise ValueError(f'"{name}" is no name of a folder; use lower-case letters, digits, - and _, 96 at most')
        return name

    @field_validator("version")
    @classmethod
    def _plain(cls, version: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}", version):
            raise ValueError(f'"{version}" is no version; use letters, digits, and . + _ -, 64 at most')
        return version


class Recipe(Head):
    """A recipe whose every option is known and of its type. Whether its columns fit together is the plan's matter."""

    sources: tuple[Source, ...]
    engines: dict[str, EngineSpec] = Field(default={})
    steps: tuple[Step, ...]
    _document: Document | None = PrivateAttr(default=None)

    def problem(self, place: Place, message: str) -> Problem:
        """Something wrong at a place such as ("steps", 3), with its line where the recipe came from a file."""
        document = self._document
        if document is None or not document.located.lines:
            return Problem(0, f"{'.'.join(map(str, place))}: {message}")
        return document.problem(place, message)

    def canonical(self) -> Json:
        """The recipe with every option resolved, for the build record: without `run`, which changes nothing.

        Without this machine's folders too: a path below the recipe's is shown relative to it, others by the last part.
        And without what gives access to an address.
        """
        base = Path.cwd() if self._document is None else self._document.path.absolute().parent
        blocks: Json = {
            **self.model_dump(include={"name", "version", "description"}),
            "sources": [_dumped(source) for source in self.sources],
            "engines": {name: _dumped(engine, exclude=engine.placing()) for name, engine in self.engines.items()},
            "steps": [_dumped(step) for step in self.steps],
            **self.model_dump(include={"publish", "decode"}),
        }
        shown: Json = json.loads(json.dumps(_without_places(blocks, Path(os.path.normpath(base)))))
        return shown


def load(path: Path) -> Recipe:
    """Read a recipe. Raises RecipeError that lists everything that is wrong, each with its line."""
    document = read_document(path)
    raw = document.located.value
    problems: list[Problem] = []
    own = {key: value for key, value in raw.items() if key not in ("sources", "engines", "steps")}
    head = _block(Head, own, (), document, problems)
    sources: list[Source] = _blocks("source", discovery.source, document, problems)
    engines = _engines(document, problems)
    steps: list[Step] = _blocks("step", discovery.step, document, problems)
    if problems or head is None:
        raise recipe_error(problems)
    recipe = Recipe(
        **{name: getattr(head, name) for name in Head.model_fields},
        sources=tuple(sources),
        engines=engines,
        steps=tuple(steps),
    )
    recipe._document = document
    return recipe


def _block(model: type[Block], raw: Json, at: Place, document: Document, problems: list[Problem]) -> Block | None:
    """A block as its model, or None and its problems.

    By way of JSON in strict mode: lists become tuples and text becomes paths, but "2" is no number and 1 is not true.
    """
    context = {"base": document.path.absolute().parent}
    try:
        return model.model_validate_json(json.dumps(raw), strict=True, context=context)
    except ValidationError as error:
        problems.extend(explained(error, Recipe if model is Head else model, at, document))
        return None


def _blocks(
    kind: Literal["source", "step"], find: Callable[[str], type[Block]], document: Document, problems: list[Problem]
) -> list[Block]:
    """The list of sources or of steps, each read by the class that its `use` names."""
    name = f"{kind}s"
    raw = document.located.value.get(name)
    if not isinstance(raw, list) or (name == "sources" and not raw):
        there = "is missing" if name not in document.located.value else f"is {kind_of(raw)}"
        wanted = f"it is a list, as in `- {{use: {discovery.names(kind)[0]}, ...}}`"
        problems.append(document.problem((name,), f"{there}; {wanted}"))
        return []
    blocks = [_used((name, index), entry, kind, find, document, problems) for index, entry in enumerate(raw)]
    return [block for block in blocks if block is not None]


def _engines(document: Document, problems: list[Problem]) -> dict[str, EngineSpec]:
    """The named engines; none, where the recipe asks no model."""
    raw = document.located.value.get("engines", {})
    if not isinstance(raw, dict):
        wanted = f"name each engine, as in `vlm: {{use: {discovery.names('engine')[-1]}, ...}}`"
        problems.append(document.problem(("engines",), f"is {kind_of(raw)}; {wanted}"))
        return {}
    for name in raw:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
            message = f'"{name}" is no name of an engine; use lower-case letters, digits, - and _'
            problems.append(document.problem(("engines", name), message))
    found = {
        name: _used(("engines", name), entry, "engine", discovery.engine, document, problems)
        for name, entry in raw.items()
    }
    return {name: engine for name, engine in found.items() if engine is not None}


def _used(
    place: Place,
    entry: object,
    kind: discovery.Kind,
    find: Callable[[str], type[Block]],
    document: Document,
    problems: list[Problem],
) -> Block | None:
    """A block, read by the class that its `use` names: one that is known, or the path of a Python file."""
    known = discovery.names(kind)
    if not isinstance(entry, dict):
        problems.append(document.problem(place, f"is {kind_of(entry)}; write a mapping, as in `use: {known[0]}`"))
    elif not isinstance(use := entry.get("use"), str):
        problems.append(document.problem(place, f'option "use" is missing{did_you_mean("", known)}'))
    elif use.endswith(".py"):
        try:
            path = _PATH.validate_python(use, context={"base": document.path.absolute().parent})
            model: type[Block] = discovery.own(kind, path)
        except (ValueError, RunError) as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            problems.append(document.problem((*place, "use"), said))
            return None
        return _block(model, {**entry, "use": path.stem}, place, document, problems)
    elif use not in known:
        problems.append(document.problem(place, f'there is no {kind} "{use}"{did_you_mean(use, known)}'))
    else:
        return _block(find(use), entry, place, document, problems)
    return None


def _dumped(block: BaseModel, *, exclude: Set[str] = frozenset()) -> Json:
    """All options of a block; one of a user's own says by `code` what it is."""
    code = code_of(type(block))
    return {**block.model_dump(exclude=set(exclude)), **({"code": code} if code else {})}


def _bytes(size: str) -> int:
    """Bytes of `500MB` or `1.5GB`; 0 where it is no size."""
    found = _SIZE.fullmatch(size.strip().upper())
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


def _without_places(value: object, base: Path) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(inner, base) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(inner, base) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(_without_places(inner, base) for inner in value)
    if isinstance(value, Path) or (isinstance(value, str) and value.startswith("/")):
        path = Path(value)
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
    return without_secrets(value) if isinstance(value, str) else value
