"""Code of a user's own: a step, a source or an engine that is a file beside the recipe, or comes with a package.

A file is imported under a name that holds the hash of its text, so that every process of a run runs the very text that
the run was started with, and what it makes is stored under it. Files that it imports in its turn are not looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from .errors import RunError

Group = Literal["steps", "sources", "engines", "prompts"]

_PREFIX = "shotscribe_own_"
_SLOW_S = 10
_files: dict[str, str] = {}  # module name -> path


def import_file(path: Path) -> ModuleType:
    """The module of a file. Raises RunError, which names the line, where it cannot be imported."""
    name = f"{_PREFIX}{path.stem}_{hashlib.sha256(_read(path)).hexdigest()[:16]}"
    _files[name] = str(path)
    with _import_told(path):
        return importlib.import_module(name)


def files() -> Mapping[str, str]:
    """The files imported so far, by the names of their modules: for a process that shall find the same."""
    return dict(_files)


def expect(known: Mapping[str, str]) -> None:
    """Make the files of another process importable here, under the same names."""
    _files.update(known)


@cache
def entry_points(group: Group) -> Mapping[str, importlib.metadata.EntryPoint]:
    """What installed packages bring for `shotscribe.<group>`, by name. Nothing is imported.

    Raises RunError where two packages bring one name.
    """
    brought: dict[str, importlib.metadata.EntryPoint] = {}
    for point in importlib.metadata.entry_points(group=f"shotscribe.{group}"):
        if point.name in brought and brought[point.name].value != point.value:
            both = " and ".join(sorted(_distribution(entry) for entry in (point, brought[point.name])))
            raise RunError(f'{both} both bring "{point.name}" for shotscribe.{group}; uninstall one of them')
        brought[point.name] = point
    return brought


def import_entry(point: importlib.metadata.EntryPoint) -> ModuleType:
    """The module of an entry point. Raises RunError where it cannot be imported."""
    with _import_told(f"{point.module} (of {_distribution(point)})"):
        return importlib.import_module(point.module)


def code_of(kind: type) -> str | None:
    """What tells a class of a user's own from another of the same name: the hash of its file's text, or the package
    that brings it. None for a class of this package.
    """
    if kind.__module__.startswith(_PREFIX):
        return f"sha256:{kind.__module__.rpartition('_')[2]}"
    groups: Sequence[Group] = ("steps", "sources", "engines")
    brought = (point for group in groups for point in entry_points(group).values())
    return next((_distribution(point) for point in brought if point.module == kind.__module__), None)


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else point.dist.name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}; give the path of a Python file") from None


@contextlib.contextmanager
def _import_told(what: Path | str) -> Iterator[None]:
    """Import somebody's code: what it prints is no output of ours, what it raises is told in a line, and what hangs is
    named.
    """
    slow = threading.Timer(_SLOW_S, lambda: print(f"still importing {what}", file=sys.stderr))
    slow.daemon = True
    slow.start()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        raise RunError(f"{what}: cannot be imported: {_told(error, what)}; mend it and run again") from error
    finally:
        slow.cancel()


def _told(error: BaseException, what: Path | str) -> str:
    """The error, and the last line of the file itself on the way to it."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(what):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == str(what):
        line = error.lineno
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" + (f" (line {line})" if line else "")


class _Loader(importlib.abc.InspectLoader):
    """Compiles the text itself: a cached compilation is known by time and size, and two texts may share these."""

    def __init__(self, path: str) -> None:
        self._path = path

    def get_source(self, fullname: str) -> str:
        data = _read(Path(self._path))
        if hashlib.sha256(data).hexdigest()[:16] != fullname.rpartition("_")[2]:
            raise ImportError(f"{self._path} was changed while the run was under way; run the same command again")
        return importlib.util.decode_source(data)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), self._path)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = _files.get(fullname)
        return None if file is None else importlib.util.spec_from_file_location(fullname, file, loader=_Loader(file))


sys.meta_path.append(_Finder())
