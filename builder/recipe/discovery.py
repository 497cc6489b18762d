"""Steps, sources and engines, found by the names of the files in their folders; there is no registry to edit.

A file `filters/luma.py` holds one public class whose `use` is "luma". A leading underscore marks a
file that is no step.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from ..contract.engine import EngineSpec
from ..contract.errors import RunError
from ..contract.source import Source
from ..contract.step import Step

_ROOT = __name__.rsplit(".", 3)[0]
_STEPS = (f"{_ROOT}.filters", f"{_ROOT}.captioners")
_SOURCES = (f"{_ROOT}.builder.sources",)
_ENGINES = (f"{_ROOT}.captioners.engines",)


def step_names() -> list[str]:
    """What `use` may be in a step, sorted. Nothing is imported."""
    return sorted(_modules(_STEPS))


def source_names() -> list[str]:
    """What `use` may be in a source, sorted. Nothing is imported."""
    return sorted(_modules(_SOURCES))


def engine_names() -> list[str]:
    """What `use` may be in an engine, sorted. Nothing is imported."""
    return sorted(_modules(_ENGINES))


def step(use: str) -> type[Step]:
    """The class of a step; imports its file alone. KeyError where there is none, RunError where the file is wrong."""
    return _load(_modules(_STEPS)[use], Step, kind="step")


def source(use: str) -> type[Source]:
    """The class of a source; as `step`."""
    return _load(_modules(_SOURCES)[use], Source, kind="source")


def engine(use: str) -> type[EngineSpec]:
    """The class of an engine; as `step`."""
    return _load(_modules(_ENGINES)[use], EngineSpec, kind="engine")


def steps() -> dict[str, type[Step]]:
    """All steps by `use`, sorted; imports every file."""
    return {use: step(use) for use in step_names()}


def sources() -> dict[str, type[Source]]:
    """All sources by `use`, sorted; imports every file."""
    return {use: source(use) for use in source_names()}


def engines() -> dict[str, type[EngineSpec]]:
    """All engines by `use`, sorted; imports every file, and none of the libraries that they need."""
    return {use: engine(use) for use in engine_names()}


def _modules(packages: Sequence[str]) -> dict[str, str]:
    """`use` -> full module name."""
    found: dict[str, str] = {}
    for package in packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if module.name.startswith("_") or module.ispkg:
                continue
            full = f"{package}.{module.name}"
            if module.name in found:
                raise RunError(f"{found[module.name]} and {full} have one name; rename one of the files")
            found[module.name] = full
    return found


def _load(name: str, base: type[Any], *, kind: str) -> type[Any]:
    """The one public class of a module that is a `base`, checked against the contract."""
    module = importlib.import_module(name)
    use = name.rpartition(".")[2]
    classes: list[type[Any]] = [
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, base) and _is_public(found, module)
    ]
    if len(classes) != 1:
        names = ", ".join(found.__name__ for found in classes) or "none"
        raise RunError(
            f"{module.__file__}: a {kind}'s file has one public subclass of {base.__name__}, this one has: {names}; "
            "a leading underscore hides a helper class, or a file that is no step"
        )
    (found,) = classes
    if not _says(found.model_fields["use"].annotation, use) or found.model_fields["use"].default != use:
        raise RunError(
            f'{module.__file__}: {found.__name__} must declare `use: Literal["{use}"] = "{use}"`, as the file'
        )
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise RunError(f"{module.__file__}: {found.__name__} must define {missing}")
    return found


def _is_public(found: type, module: ModuleType) -> bool:
    return found.__module__ == module.__name__ and not found.__name__.startswith("_")


def _says(annotation: Any, use: str) -> bool:
    return get_origin(annotation) is Literal and get_args(annotation) == (use,)
