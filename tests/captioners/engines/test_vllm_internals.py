"""What vLLM has inside and we use: a release that lacks one of it is told when the engine starts."""

from __future__ import annotations

import ast
import asyncio
import importlib
import sys
from pathlib import Path

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines import _vllm_engine
from shotscribe.captioners.engines.vllm import Vllm

ENGINES = Path(_vllm_engine.__file__).parent


def imports(path: Path, *, within: type[ast.AST]) -> list[tuple[str, str]]:
    """(module, name) of all that is imported from vllm, in the module's own lines or within functions."""
    tree = ast.parse(path.read_text())
    places = [tree] if within is ast.Module else [node for node in ast.walk(tree) if isinstance(node, within)]
    nodes = [
        node
        for place in places
        for node in (place.body if within is ast.Module else ast.walk(place))  # type: ignore[attr-defined]
    ]
    return [
        (str(node.module), alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "vllm"
        for alias in node.names
    ]


USED = [pair for path in ENGINES.glob("_vllm*.py") for pair in imports(path, within=ast.Module)]


def test_nothing_of_vllm_is_imported_in_the_middle_of_a_run() -> None:
    assert len(USED) > 10
    for path in ENGINES.glob("*.py"):
        assert imports(path, within=ast.FunctionDef) + imports(path, within=ast.AsyncFunctionDef) == []


@pytest.mark.parametrize(("module", "name"), USED)
def test_vllm_has_what_is_used_of_it(module: str, name: str) -> None:
    pytest.importorskip("vllm")
    assert hasattr(importlib.import_module(module), name)


def test_a_release_that_lacks_something_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm.renderers.params", None)
    monkeypatch.delitem(sys.modules, "shotscribe.captioners.engines._vllm_running", raising=False)
    with pytest.raises(RunError, match=r"cannot be imported: .*vllm\.renderers\.params.*pip install"):
        asyncio.run(_vllm_engine.started(Vllm(use="vllm", model="any/model", revision="0" * 40), lambda line: None))
