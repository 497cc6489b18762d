"""Every recipe of recipes/ is right before any video, model or server is there, and says what it needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
VARIABLES = {
    "panda70m": "PANDA70M_ROOT",
    "pexels": "PEXELS_ROOT",
    "ego4d": "EGO4D_ROOT",
    "open_sora_table": "OPEN_SORA_ROOT",
    "open_sora_llava": "OPEN_SORA_ROOT",
    "open_sora_pllava": "OPEN_SORA_ROOT",
    "open_sora_gpt4v": "OPEN_SORA_ROOT",
    "skycaptioner_v1": "MODELS",
}
WITHOUT_MODEL = {"demo", "folder", "open_sora_table", "split_long_videos"}

Run = Callable[..., subprocess.CompletedProcess[str]]


def written(name: str) -> str:
    return (RECIPES / f"{name}.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_passes_its_check_before_any_video_is_there(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "meta.csv").write_text("path,text,aes\n")  # a table's columns are those of its header
    (tmp_path / "panda70m_training_2m.csv").write_text("videoID,url,timestamp,caption,matching_score\n")
    for folder in ("videos", "pages", "v2/video_540ss"):  # a folder must be there
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "SkyCaptioner-V1").mkdir()  # a model in a folder is known by what is in it
    before = sorted(tmp_path.rglob("*"))
    variables = {VARIABLES[name]: tmp_path} if name in VARIABLES else {}
    done = run(RECIPES / f"{name}.yaml", "--check", HOME=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    for step in yaml.safe_load(written(name))["steps"]:
        assert re.search(rf"^ +{step['use']}\b", done.stdout, re.MULTILINE)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_a_recipe_says_which_variable_it_needs(name: str, variable: str, run: Run) -> None:
    done = run(RECIPES / f"{name}.yaml", "--check", **{variable: None})
    assert done.returncode == 2
    assert f"${{{variable}}}" in done.stderr
    assert f"export {variable}=" in written(name), "the recipe's head says how"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_one_page_that_says_how_to_run_it(name: str) -> None:
    lines = written(name).splitlines()
    assert lines[0] == "# yaml-language-server: $schema=recipe.schema.json"
    assert any(line.startswith(f"#   build-dataset recipes/{name}.yaml") for line in lines)
    assert len(lines) <= 55
    assert max(map(len, lines)) <= 120
    assert ("\nengines:\n" in written(name)) == (name not in WITHOUT_MODEL)


def test_every_recipe_is_run() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_with*.py"))
    assert [name for name in NAMES if f"def test_{name}(" not in tests] == []
