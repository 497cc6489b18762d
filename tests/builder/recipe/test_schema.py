"""The JSON Schema by which editors complete and check recipes."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from shotscribe.builder.contract.errors import RecipeError
from shotscribe.builder.recipe import discovery
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.recipe.schema import recipe_schema, text
from shotscribe.builder.recipe.yaml_lines import parse

RECIPES = Path(__file__).parents[3] / "recipes"
FIRST_LINE = "# yaml-language-server: $schema=recipe.schema.json"

GOOD: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "sources": [{"use": "folder", "path": "videos"}],
    "steps": [
        {"use": "duration", "min_s": 2},
        {"use": "semantic_dedup", "column": "source_caption", "threshold": 0.9, "embed": {"use": "hashing"}},
    ],
    "publish": {"caption": "source_caption", "hub": {"repo": "a/b"}},
    "run": {"workers": "auto"},
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_file_is_current() -> None:
    assert (RECIPES / "recipe.schema.json").read_text("utf-8") == text(), "run `make schema`"


def test_the_command_that_makes_it() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "from shotscribe.builder.tools.main import main; main()", "schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == text()
    assert made.stderr == ""


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_fit_the_schema_and_name_it(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    written = path.read_text("utf-8")
    assert written.splitlines()[0] == FIRST_LINE
    validator.validate(parse(written).value)


def test_every_step_and_source_is_in_it() -> None:
    blocks = [block for block in recipe_schema()["$defs"].values() if "properties" in block]
    known = {block["properties"]["use"]["const"] for block in blocks if "use" in block["properties"]}
    assert {*discovery.steps(), *discovery.sources(), *discovery.engines()} <= known
    assert all("use" in block["required"] for block in blocks if "use" in block["properties"])


def test_options_are_explained() -> None:
    folder = recipe_schema()["$defs"]["Folder"]
    assert folder["description"]
    assert folder["properties"]["path"]["description"] == "The folder."


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("name",), None),
        (("version",), 2026.1),
        (("nmae",), "a"),
        (("sources",), []),
        (("sources", 0, "use"), "foldr"),
        (("sources", 0, "path"), None),
        (("sources", 0, "pth"), "x"),
        (("steps",), {}),
        (("steps", 0, "min_s"), "two"),
        (("steps", 0, "min_s"), -1),
        (("steps", 0, "min_len"), 2),
        (("steps", 0), {"min_s": 2}),
        (("steps", 1, "threshold"), 2),
        (("steps", 1, "embed"), {"use": "hash"}),
        (("steps", 1, "embed"), {}),
        (("publish", "media"), "embd"),
        (("publish", "hub"), {}),
        (("run", "workers"), "many"),
        (("run", "max_reject_rate"), 2),
        (("decode",), {"decoder": "ffmpeg"}),
    ],
)
def test_an_editor_refuses_what_the_command_refuses(
    tmp_path: Path, validator: jsonschema.Draft202012Validator, place: tuple[str | int, ...], value: object
) -> None:
    def accepted(recipe: dict[str, Any]) -> tuple[bool, bool]:
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(recipe))
        try:
            load(tmp_path / "x.yaml")
        except RecipeError:
            return False, validator.is_valid(recipe)
        return True, validator.is_valid(json.loads(json.dumps(recipe)))

    assert accepted(GOOD) == (True, True)
    wrong = copy.deepcopy(GOOD)
    block: Any = wrong
    for part in place[:-1]:
        block = block[part]
    block[place[-1]] = value
    assert accepted(wrong) == (False, False)
