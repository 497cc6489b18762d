"""Steps, sources, engines and prompts of a user's own: files beside the recipe, and packages with entry points."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract import own_code
from shotscribe.builder.contract.errors import RecipeError, RunError
from shotscribe.builder.recipe.recipe import load

COMMAND = [sys.executable, "-c", "from shotscribe.builder.cli import main; main()"]

BRIGHT = """
print("printed while it is imported")
from typing import Literal
from shotscribe.builder.contract import Clip, ClipStep, Columns, Engine, Judges, Rejection, Row, Sampling, above

class Bright(ClipStep):
    use: Literal["bright"] = "bright"
    max: Judges[float | None] = None

    def adds(self) -> Columns:
        return {{"bright": "float64"}}

    def samplings(self, row: Row) -> tuple[Sampling, ...]:
        return (Sampling(fractions=(0.0,), long_side_px=32),)

    def make(self, clip: Clip, engine: Engine) -> dict:
        return {{"bright": float(clip.frames(*self.samplings(clip.row)).images[0].mean()) * {factor}}}

    def verdict(self, row: Row) -> Rejection | None:
        return above("bright", row["bright"], self.max, option="max")
"""

NAMES = """
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from shotscribe.builder.contract import RecipePath, Source, SourceClip, media_of

class Names(Source):
    use: Literal["names"] = "names"
    path: RecipePath

    def clips(self, work: Path) -> Iterator[SourceClip]:
        for file in sorted(self.path.glob("*.mp4")):
            yield SourceClip(file.name, media_of(file))
"""

ECHO = """
from typing import Any, Literal
from shotscribe.builder.contract import Completion, Engine, EngineSpec, Request

class _Running:
    model, revision, slots = "echo", "1", 4

    async def complete(self, request: Request) -> Completion:
        return Completion("A red ball rolls over the grass.", "stop", 9, 7)

    async def close(self) -> None: ...

class Echo(EngineSpec):
    use: Literal["echo"] = "echo"

    async def start(self, say: Any) -> Engine:
        return _Running()
"""

RECIPE = """\
name: own
version: "1"
sources: [{use: ./mine/names.py, path: clips, license: cc0-1.0}]
engines: {vlm: {use: ./mine/echo.py}}
steps:
  - {use: ./mine/bright.py, max: 250}
  - {use: short, engine: vlm}
publish: {caption: short_caption}
run: {workers: 2}
"""


@pytest.fixture
def recipe(tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "clips").mkdir()
    for name, text in {"bright": BRIGHT.format(factor=1), "names": NAMES, "echo": ECHO}.items():
        (tmp_path / "mine" / f"{name}.py").write_text(text)
    for seed in range(2):
        encode(tmp_path / "clips" / f"{seed}.mp4", moving(10, seed=seed))
    path = tmp_path / "own.yaml"
    path.write_text(RECIPE)
    return path


def run(recipe: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    variables = dict(os.environ)
    if path is not None:
        variables["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [variables.get("PYTHONPATH")])])
    return subprocess.run(
        [*COMMAND, str(recipe), "--out", str(recipe.parent / "out"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        timeout=120,
    )


def rows(recipe: Path) -> list[dict[str, object]]:
    return [
        row
        for path in sorted((recipe.parent / "out" / "metadata").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_files_of_a_recipes_own_do_the_whole_job_in_every_process(recipe: Path) -> None:
    checked = run(recipe, "--check")
    assert checked.returncode == 0, checked.stderr
    assert "bright" in checked.stdout
    assert "printed while" not in checked.stdout
    done = run(recipe)
    assert done.returncode == 0, done.stderr
    built = rows(recipe)
    assert [row["short_caption"] for row in built] == ["A red ball rolls over the grass."] * 2
    assert all(0 < row["bright"] < 250 for row in built)  # type: ignore[operator]
    record = json.loads((recipe.parent / "out" / "build.json").read_text())
    codes = [block["code"] for block in (*record["recipe"]["sources"], record["recipe"]["steps"][0])]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{16}", code) for code in codes)
    assert str(recipe.parent) not in (recipe.parent / "out" / "build.json").read_text()


def test_what_a_changed_file_makes_is_made_anew_and_nothing_else(recipe: Path) -> None:
    assert run(recipe).returncode == 0
    before = rows(recipe)
    values = recipe.parent / "out" / ".work" / "values"
    kept = {path: path.stat().st_mtime_ns for path in values.glob("probe-*/*")}
    (recipe.parent / "mine" / "bright.py").write_text(BRIGHT.format(factor=0.5))
    assert run(recipe).returncode == 0
    assert [row["bright"] for row in rows(recipe)] == [row["bright"] / 2 for row in before]  # type: ignore[operator]
    assert {path: path.stat().st_mtime_ns for path in values.glob("probe-*/*")} == kept


def test_a_bug_of_a_source_is_told_in_two_lines(recipe: Path) -> None:
    names = recipe.parent / "mine" / "names.py"
    names.write_text(
        NAMES.replace("yield SourceClip(file.name,", "yield SourceClip(file.name if '0' in file.name else 1 / 0,")
    )
    done = run(recipe)
    assert done.returncode == 1
    first, second = done.stderr.strip().splitlines()[-2:]
    assert first.startswith("error: names: after 0.mp4: ZeroDivisionError: division by zero (")
    assert "mine/names.py, line 13, in clips" in first
    assert ".work/logs/step-names.txt" in second
    assert "Traceback" in (recipe.parent / "out" / ".work" / "logs" / "step-names.txt").read_text()
    names.write_text(NAMES)
    assert run(recipe).returncode == 0


def test_a_changed_engine_is_asked_anew(recipe: Path) -> None:
    assert run(recipe).returncode == 0
    (recipe.parent / "mine" / "echo.py").write_text(ECHO.replace("red ball", "blue ball"))
    assert run(recipe).returncode == 0
    assert {row["short_caption"] for row in rows(recipe)} == {"A blue ball rolls over the grass."}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "bright.py",
            "import nothing_like_it\n",
            "cannot be imported: ModuleNotFoundError: No module named 'nothing_l",
        ),
        ("bright.py", "x = 1\n\nraise ValueError('boom')\n", "cannot be imported: ValueError: boom (line 3)"),
        ("bright.py", "def broken(:\n", "cannot be imported: SyntaxError: invalid syntax (line 1)"),
        ("bright.py", "raise SystemExit(3)\n", "cannot be imported: SystemExit: 3 (line 1)"),
        ("bright.py", "x = 1\n", "a step's file has one public subclass of Step, this one has: none"),
        (
            "luma.py",
            BRIGHT.format(factor=1),
            'there is a step "luma" already; give the file and its class another name',
        ),
        ("other.py", BRIGHT.format(factor=1), 'Bright must declare `use: Literal["other"] = "other"`'),
        ("gone.py", None, "No such file or directory; give the path of a Python file"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(
    recipe: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (recipe.parent / "mine" / name).write_text(text)
    recipe.write_text(RECIPE.replace("bright.py", name))
    with pytest.raises(RecipeError) as refused:
        load(recipe)
    assert str(refused.value).startswith(f"{recipe}:6: steps[0] (./mine/{name}): use: ")
    assert said in str(refused.value)


def test_an_import_that_hangs_is_named(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_code, "_SLOW_S", 0.05)
    (recipe.parent / "mine" / "bright.py").write_text("import time; time.sleep(0.5)\n" + BRIGHT.format(factor=1))
    load(recipe)
    shown = capsys.readouterr()
    assert f"still importing {recipe.parent / 'mine' / 'bright.py'}" in shown.err
    assert shown.out == ""


def test_two_texts_of_one_file_are_two_modules_even_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "bright.py"
    seen = []
    for factor in (1, 2):
        path.write_text(f"factor = {factor}\n")
        os.utime(path, (1, 1))  # the same size and time: a cached compilation would be taken for it
        seen.append(own_code.import_file(path))
    assert [module.factor for module in seen] == [1, 2]
    assert not (tmp_path / "__pycache__").exists()


def test_a_process_refuses_a_file_that_was_changed_under_way(tmp_path: Path) -> None:
    path = tmp_path / "bright.py"
    path.write_text("factor = 1\n")
    name = own_code.import_file(path).__name__
    sys.modules.pop(name)
    path.write_text("factor = 2\n")
    with pytest.raises(ImportError, match=r"bright\.py was changed while the run was under way"):
        __import__(name)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """A folder for sys.path with packages that bring things by entry points."""

    def install(package: str, points: str, **texts: str) -> Path:
        site = tmp_path / "site"
        folder = site / package
        folder.mkdir(parents=True)
        for name, text in {"__init__.py": "", **texts}.items():
            (folder / name.replace("_py", ".py").replace("_txt", ".txt")).write_text(text)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        return site

    return install


def test_a_package_brings_steps_and_prompts(recipe: Path, installed: Callable[..., Path]) -> None:
    points = "[shotscribe.steps]\nbright = bright_pkg.measures:Bright\n\n[shotscribe.prompts]\nterse = bright_pkg\n"
    site = installed("bright_pkg", points, measures_py=BRIGHT.format(factor=1), terse_txt="Say what you see. {frames}")
    recipe.write_text(
        RECIPE.replace("./mine/bright.py", "bright").replace("engine: vlm}", "engine: vlm, prompt: terse}")
    )
    assert "there is no step" in run(recipe, "--check").stderr
    done = run(recipe, path=site)
    assert done.returncode == 0, done.stderr
    assert all(0 < row["bright"] < 250 for row in rows(recipe))  # type: ignore[operator]
    record = json.loads((recipe.parent / "out" / "build.json").read_text())
    assert record["recipe"]["steps"][0]["code"] == "bright-pkg"
    code = "from shotscribe.builder.tools.main import main; main()"
    variables = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    schema = subprocess.run(
        [sys.executable, "-c", code, "schema"], capture_output=True, text=True, check=True, env=variables
    )
    assert "Bright" in json.loads(schema.stdout)["$defs"]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("[shotscribe.steps]\nluma = bright_pkg.measures\n", 'bright-pkg brings a step "luma", which there is already'),
        ("[shotscribe.prompts]\nshort = bright_pkg\n", 'a package brings a prompt "short", which there is already'),
    ],
)
def test_a_name_that_is_taken_is_an_error(recipe: Path, installed: Callable[..., Path], points: str, said: str) -> None:
    done = run(recipe, "--check", path=installed("bright_pkg", points, measures_py=BRIGHT.format(factor=1)))
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_two_packages_with_one_name_are_an_error(recipe: Path, installed: Callable[..., Path]) -> None:
    for package in ("one_pkg", "two_pkg"):
        points = f"[shotscribe.steps]\nbright = {package}.measures\n"
        site = installed(package, points, measures_py=BRIGHT.format(factor=1))
    done = run(recipe, "--check", path=site)
    assert 'one-pkg and two-pkg both bring "bright" for shotscribe.steps' in done.stderr
    assert done.returncode == 1


def test_a_file_named_as_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.py").mkdir()
    with pytest.raises(RunError, match="Is a directory; give the path of a Python file"):
        own_code.import_file(tmp_path / "x.py")
