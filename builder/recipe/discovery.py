"""Steps, sources and engines: found by the names of the files in their folders, brought by packages, or files of a
recipe's own. There is no registry to edit.

A file `filters/luma.py` holds one public class whose `use` is "luma". A leading underscore marks a file that is none.
An installed package brings more by its entry points, `grain = "my_pkg.grain"` under `shotscribe.steps`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from ..contract.engine import EngineSpec
from ..contract.errors import RunError
from ..contract.own_code import entry_points, import_entry, import_file
from ..contract.source import Source
from ..contract.step import Step

Kind = Literal["step", "source", "engine"]

_ROOT = __name__.rsplit(".", 3)[0]
_FOLDERS: Mapping[Kind, tuple[str, ...]] = {
    "step": (f"{_ROOT}.filters", f"{_ROOT}.captioners"),
    "source": (f"{_ROOT}.builder.sources",),
    "engine": (f"{_ROOT}.captioners.engines",),
}
_BASES: Mapping[Kind, type[Any]] = {"step": Step, "source": Source, "engine": EngineSpec}


def names(kind: Kind) -> list[str]:
    """What `use` may be in a block of this kind, sorted. Nothing is imported."""
    return sorted(_modules(kind))


def step(use: str) -> type[Step]:
    """The class of a step; imports its file alone. KeyError where there is none, RunError where the file is wrong."""
    return _class("step", use)


def source(use: str) -> type[Source]:
    """The class of a source; as `step`."""
    return _class("source", use)


def engine(use: str) -> type[EngineSpec]:
    """The class of an engine; as `step`."""
    return _class("engine", use)


def steps() -> dict[str, type[Step]]:
    """All steps by `use`, sorted; imports every file."""
    return {use: step(use) for use in names("step")}


def sources() -> dict[str, type[Source]]:
    """All sources by `use`, sorted; imports every file."""
    return {use: source(use) for use in names("source")}


def engines() -> dict[str, type[EngineSpec]]:
    """All engines by `use`, sorted; imports every file, and none of the libraries that they need."""
    return {use: engine(use) for use in names("engine")}


def own(kind: Kind, path: Path) -> type[Any]:
    """The class in a file of the user's own, which is named as it is and as no other of its kind. Raises RunError."""
    if path.stem in names(kind):
        raise RunError(f'{path}: there is a {kind} "{path.stem}" already; give the file and its class another name')
    return _public(import_file(path), path.stem, kind=kind)


def _class(kind: Kind, use: str) -> type[Any]:
    place = _modules(kind)[use]
    if isinstance(place, str):
        return _public(importlib.import_module(place), use, kind=kind)
    return _public(import_entry(place), use, kind=kind, name=place.attr)


def _modules(kind: Kind) -> dict[str, str | importlib.metadata.EntryPoint]:
    """`use` -> full module name, or the entry point that brings it."""
    modules: dict[str, str | importlib.metadata.EntryPoint] = {}
    for package in _FOLDERS[kind]:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if module.name.startswith("_") or module.ispkg:
                continue
            full = f"{package}.{module.name}"
            if module.name in modules:
                raise RunError(f"{modules[module.name]} and {full} have one name; rename one of the files")
            modules[module.name] = full
    for name, point in entry_points(f"{kind}s").items():
        if name in modules:
            package = "an unnamed package" if point.dist is None else point.dist.name
            raise RunError(f'{package} brings a {kind} "{name}", which there is already; rename it there')
        modules[name] = point
    return modules


def _public(module: ModuleType, use: str, *, kind: Kind, name: str = "") -> type[object]:
    """The one public class of a module that is of this kind, or the one of this name, checked against the contract."""
    base = _BASES[kind]
    classes: list[type[Any]] = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, base)
        and (member.__name__ == name if name else _is_public(member, module))
    ]
    if len(classes) != 1:
        listed = ", ".join(member.__name__ for member in classes) or "none"
        raise RunError(
            f"{module.__file__}: a {kind}'s file has one public subclass of {base.__name__}, this one has: {listed}; "
            "a leading underscore hides a helper class, or a file that is no step"
        )
    (block,) = classes
    if not _says(block.model_fields["use"].annotation, use) or block.model_fields["use"].default != use:
        raise RunError(f'{module.__file__}: {block.__name__} must declare `use: Literal["{use}"] = "{use}"`')
    if inspect.isabstract(block):
        missing = ", ".join(sorted(block.__abstractmethods__))
        raise RunError(f"{module.__file__}: {block.__name__} must define {missing}")
    return block


def _is_public(member: type, module: ModuleType) -> bool:
    return member.__module__ == module.__name__ and not member.__name__.startswith("_")


def _says(annotation: object, use: str) -> bool:
    return get_origin(annotation) is Literal and get_args(annotation) == (use,)
