"""What the documentation shows is what works: its code runs, its commands run, its files are there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.recipe import discovery

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMAND = [sys.executable, "-c", "from shotscribe.builder.cli import main; main()"]


def examples() -> dict[str, str]:
    """CONTRIBUTING.md's files: path -> code."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return dict(re.findall(r"^## [^\n]*: `([\w/]+\.py)`\n.*?```python\n(.*?)```", text, re.MULTILINE | re.DOTALL))


def example_class(path: str, tmp_path: Path) -> type:
    """The public class of an example, imported as if its file lay in its folder."""
    name = "shotscribe." + path.removesuffix(".py").replace("/", ".")
    file = tmp_path / Path(path).name
    file.write_text(examples()[path])
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return getattr(module, Path(path).stem.title())


def test_there_is_an_example_of_each_kind() -> None:
    assert list(examples()) == ["filters/grain.py", "captioners/place.py", "builder/sources/listing.py"]


def test_the_filter_example_measures_and_judges(tmp_path: Path) -> None:
    from shotscribe.builder.contract.clip import Clip
    from shotscribe.builder.contract.engine import NO_ENGINE
    from shotscribe.builder.contract.frames import Frames

    grain = example_class("filters/grain.py", tmp_path)(max=20)
    rng = np.random.default_rng(0)
    for amplitude, kept in ((2, True), (200, False)):
        images = [rng.integers(0, amplitude, (48, 64, 3)).astype(np.uint8) for _ in range(3)]
        clip = Clip({}, lambda _, images=images: Frames(np.arange(3.0), images))
        values = grain.make(clip, NO_ENGINE)
        assert (grain.verdict(values) is None) == kept


def test_the_captioner_example_asks_with_its_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from shotscribe.builder.contract.clip import Clip
    from shotscribe.builder.contract.engine import Completion, Request
    from shotscribe.builder.contract.frames import Frames, Sampling
    from shotscribe.captioners import _prompt

    (text,) = re.findall(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "place.txt").write_text(text)
    monkeypatch.setattr(_prompt, "_FOLDER", tmp_path)
    asked: list[Request] = []

    class Sure:
        model, revision, slots = "a-model", None, None

        async def complete(self, request: Request) -> Completion:
            asked.append(request)
            return Completion("A kitchen.", "stop", 50, 4)

    def frames(sampling: Sampling) -> Frames:
        assert sampling.fractions == (0.0, 1.0)
        return Frames(np.arange(2.0), [np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)], ("first", "last"))

    step = example_class("captioners/place.py", tmp_path)(engine="vlm")
    made = asyncio.run(step.make(Clip({}, frames), Sure()))
    assert made["place"] == "A kitchen."
    assert made["place_info"]["frames"] == ["first", "last"]
    told, shown = asked[0].messages
    assert told.parts == (
        "You are shown two moments of a video clip. Say where it takes place, in at most five words.",
    )
    assert [part.hash for part in shown.parts if not isinstance(part, str)] == ["first", "last"]


def test_the_source_example_lists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4\nb/c.mp4\n")
    source = example_class("builder/sources/listing.py", tmp_path)(path=tmp_path / "list.txt")
    assert [clip.source_id for clip in source.clips(tmp_path)] == ["a.mp4", "b/c.mp4"]


def test_the_examples_run_from_outside_the_package(
    tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> None:
    (tmp_path / "mine").mkdir()
    homes = {"..builder.contract": "builder.contract", "..contract": "builder.contract", ".": "captioners"}
    for path, code in examples().items():
        outside = re.sub(
            r"^from (\.[\w.]*) ", lambda found: f"from shotscribe.{homes[found[1]]} ", code, flags=re.MULTILINE
        )
        (tmp_path / "mine" / Path(path).name).write_text(outside)
    (prompt,) = re.findall(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine" / "place.txt").write_text(prompt)
    encode(tmp_path / "a.mp4", moving(10, seed=1))
    (tmp_path / "list.txt").write_text("a.mp4\n")
    (tmp_path / "x.yaml").write_text("""
name: outside
version: "1"
sources: [{use: ./mine/listing.py, path: list.txt, license: cc0-1.0}]
engines: {vlm: {use: openai, model: any, base_url: "http://127.0.0.1:9/v1", key_env: null}}
steps:
  - {use: ./mine/grain.py, max: 200}
publish: {caption: null}
run: {workers: 1}
""")
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "x.yaml"), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "x.yaml").read_text()
    asking = "  - {use: ./mine/grain.py, max: 200}\n  - {use: ./mine/place.py, prompt: ./mine/place.txt, engine: vlm}"
    (tmp_path / "x.yaml").write_text(written.replace("  - {use: ./mine/grain.py, max: 200}", asking))
    checked = subprocess.run(
        [*COMMAND, str(tmp_path / "x.yaml"), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "place_info" in checked.stdout


def blocks(language: str) -> list[str]:
    """README.md's code blocks of one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [code for found, code in fenced if found == language]


def table_of(heading: str) -> set[str]:
    """What README.md's table of that heading names in its first column."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, f"README.md has no table of {heading}"
    return {name for row in table[1].splitlines() for name in re.findall(r"`(.*?)`", row.split("|")[1])}


def succeed(command: list[str], *, home: Path) -> None:
    """Run a command in a home folder of its own."""
    variables = {**os.environ, "HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", name="readme_run")
def readme_run_fixture(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> Path:
    """A home and working folder in which README.md's recipe was run by README.md's command, over ~/videos."""
    home = tmp_path_factory.mktemp("home")
    encode(home / "videos" / "kitchen" / "pancake.mp4", moving(33), fps=15, audio=True)
    encode(home / "videos" / "beach.mp4", moving(33, seed=1), fps=15)
    recipe, _ = blocks("yaml")
    (name,) = re.findall(r"^# (\S+\.yaml)$", recipe, re.MULTILINE)
    (home / name).write_text(recipe)
    command = next(block for block in blocks("console") if "build-dataset" in block).removeprefix("$ build-dataset ")
    succeed([*COMMAND, *command.split()], home=home)
    return home


def test_the_readme_recipe_gives_the_files_and_the_row_that_the_readme_shows(readme_run: Path) -> None:
    (out,) = (readme_run / "out").iterdir()
    for name in table_of("in `out/<name>`"):
        if name.startswith("."):
            continue  # an ending or a folder of state
        pattern = re.sub(r"train-\d+-of-\d+", "train-*", name).rstrip("/")
        assert list(out.glob(pattern)), f"{name} is not in a dataset"
    shown = json.loads(blocks("json")[0])
    rows = {row["source_id"]: row for row in pq.read_table(out / "metadata").to_pylist()}
    row = rows[shown["source_id"]]
    assert list(shown) == [name for name in row if name in shown], "the columns, in their order"
    known_by_place = ("clip_id", "source", "source_id", "license", "start", "codec")
    assert {name: shown[name] for name in known_by_place} == {name: row[name] for name in known_by_place}
    assert {name: type(value) for name, value in shown.items()} == {name: type(row[name]) for name in shown}


def test_the_readme_loads_what_its_recipe_built(readme_run: Path) -> None:
    (loading,) = blocks("python")
    script = "\n".join(["if __name__ == '__main__':", *(f"    {line}" for line in loading.splitlines())])
    (readme_run / "loading.py").write_text(script + "\n")  # as load_recipe asks for: its workers are spawned
    succeed([sys.executable, "loading.py"], home=readme_run)


def test_the_readme_recipe_with_a_model_is_captioned(
    tmp_path: Path, vlm_server: str, film: Callable[..., Path]
) -> None:
    """As it stands, but for the model behind it: the tiny one that tests have, and its short answers."""
    _, recipe = blocks("yaml")
    (name,) = re.findall(r"^# (\S+\.yaml)$", recipe, re.MULTILINE)
    (tmp_path / name).write_text(recipe)
    film(tmp_path / "videos" / "a.mp4", ["red", "blue"], seconds_each=2)
    succeed([*COMMAND, name, "--check"], home=tmp_path)
    engine, server = re.search(r"^  vlm:\n(?:    .*\n)+", recipe, re.MULTILINE), f'base_url: "{vlm_server}"'
    assert engine
    assert "use: vllm" in engine[0]
    served = recipe.replace(engine[0], f"  vlm: {{use: openai, model: truth, key_env: null, {server}}}\n")
    (tmp_path / name).write_text(served.replace("engine: vlm}", "engine: vlm, bad: keep, max_tokens: 16}"))
    succeed([*COMMAND, name], home=tmp_path)
    (row,) = pq.read_table(tmp_path / "out" / "captioned" / "metadata").to_pylist()
    assert [window["end"] for window in row["diff_captions"]] == row["keyframes"]
    assert row["caption_info"]["model"] == "truth"


def test_the_readme_names_every_step_source_recipe_and_extra() -> None:
    assert table_of("steps") | table_of("captioners") == set(discovery.names("step"))
    assert table_of("sources") == set(discovery.names("source"))
    assert table_of("engines") == set(discovery.names("engine"))
    linked = set(re.findall(r"\(recipes/(\w+)\.yaml\)", README))
    assert linked == {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert table_of("extra") == set(extras) - {"dev"}


def test_the_readme_shows_the_flags_that_there_are() -> None:
    usage = next(block for block in blocks("") if block.startswith("build-dataset"))
    flags = {name: metavar or None for name, metavar in re.findall(r"\[(--\w+)(?: (\w+))?\]", usage)}
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True)
    offered = {
        name: metavar or None for name, metavar in re.findall(r"^\s+(--\w+)(?: ([A-Z]+))?\s", done.stdout, re.MULTILINE)
    }
    assert offered.pop("--help", "absent") is None
    assert flags == offered


def test_the_readme_shows_the_subcommands_that_there_are() -> None:
    usages = [line for block in blocks("") for line in block.splitlines() if line.startswith("shotscribe ")]
    shown = {usage.split()[1]: re.findall(r"--\w+", usage) for usage in usages}

    def offered(*command: str) -> list[str]:
        tool = [sys.executable, "-c", "from shotscribe.builder.tools.main import main; main()", *command, "--help"]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=True)
        names = re.findall(r"^  (--\w+|\w+) ", done.stdout.partition("Options:")[2], re.MULTILINE)
        return [name for name in names if name != "--help"]

    assert sorted(shown) == offered()
    for subcommand, flags in shown.items():
        assert flags == offered(subcommand)


def test_every_file_that_the_readme_links_is_there_and_every_make_target() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_readme_fits_the_screen() -> None:
    assert [line for line in README.splitlines() if len(line) > 120] == []
