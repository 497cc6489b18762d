"""The rooms of the package, and the arrows between them: who may import whom. Read from the source; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import shotscribe

ROOT = Path(shotscribe.__file__).parent
FACES = {"cli", "load", "corpora", "build", "progress"}

ALLOWED = {
    "cards": set(),
    "builder.contract": set(),
    "builder.recipe": {"builder.contract"},
    "builder.media": {"builder.contract"},
    "builder.store": {"builder.contract"},
    "builder.sources": {"builder.contract"},
    "captioners": {"builder.contract"},
    "filters": {"builder.contract"},
    "builder.run.executors": {"builder.contract", "builder.media", "builder.store"},
    "builder.run": {
        *("builder.contract", "builder.recipe", "builder.media", "builder.store", "builder.run.executors"),
    },
    "builder.output": {
        *("builder.contract", "builder.recipe", "builder.media", "builder.store", "builder.run"),
        *("builder.run.executors", "cards"),
    },
    "builder.tools": {
        *("builder.contract", "builder.recipe", "builder.media", "builder.store", "builder.run.executors"),
        *("builder.output", "captioners"),
    },
    "builder.corpora": {"builder.contract", "builder.recipe", "builder.store"},
    "builder.progress": {"builder.contract", "cards"},
    "builder.build": {
        *("builder.contract", "builder.recipe", "builder.store", "builder.run", "builder.run.executors"),
        *("builder.output", "cards"),
    },
    "builder.load": {"builder.build", "builder.progress"},
    "builder.cli": {
        *("builder.contract", "builder.recipe", "builder.store", "builder.run.executors", "builder.output"),
        *("builder.build", "builder.progress"),
    },
}
"""Each room, and those that it may import. Faces of the builder are rooms of one file."""


def modules() -> dict[str, Path]:
    folders = ("builder", "captioners", "filters", "cards")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files)
    return dict(zip(names, files, strict=True))


def imports(module: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield f"{base}.{name.name}" if f"{base}.{name.name}" in known else base


def room(module: str) -> str:
    """The longest room that a module lies in."""
    rooms = [name for name in ALLOWED if module == name or module.startswith(f"{name}.")]
    assert rooms, f"{module} lies in no room"
    return max(rooms, key=len)


def test_arrows_between_rooms_are_the_allowed_ones() -> None:
    known = modules()
    wrong = [
        f"{module} imports {imported}"
        for module, path in known.items()
        for imported in imports(module, path, known)
        if module != "builder"
        and imported not in ("builder", "builder.run")
        and room(module) != room(imported)
        and room(imported) not in ALLOWED[room(module)]
    ]
    assert wrong == []


def test_no_circle_of_files() -> None:
    known = modules()
    graph = {
        module: {imported for imported in imports(module, path, known) if known[imported].name != "__init__.py"}
        for module, path in known.items()
        if path.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"files import each other: {' -> '.join(error.args[1])}") from None


def test_what_a_newcomer_sees_is_few() -> None:
    faces = {path.stem for path in (ROOT / "builder").glob("*.py")} - {"__init__"}
    assert faces == FACES
    assert len(faces) + sum(path.is_dir() and path.name != "__pycache__" for path in (ROOT / "builder").iterdir()) <= 16
