"""Steps and sources are found by the names of their files."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.source import Source
from shotscribe.builder.contract.step import ClipStep, Step
from shotscribe.builder.recipe import discovery

Add = Callable[..., None]

GOOD = """
from typing import Literal
from shotscribe.builder.contract.step import Step, ClipStep

class _Base(Step): ...

class {name}(_Base):
    use: Literal["{use}"] = "{use}"
"""


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Put a file beside the filters (or captioners), for one test."""

    def put(use: str, text: str, *, package: str = "filters") -> None:
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / f"{use}.py").write_text(text)
        module = importlib.import_module(f"shotscribe.{package}")
        if str(folder) not in module.__path__:
            monkeypatch.setattr(module, "__path__", [*module.__path__, str(folder)])
        monkeypatch.delitem(sys.modules, f"shotscribe.{package}.{use}", raising=False)

    return put


def test_every_step_and_source_keeps_the_contract() -> None:
    steps, sources = discovery.steps(), discovery.sources()
    assert {"luma", "semantic_dedup", "signals"} <= set(steps)
    assert {"folder", "demo"} <= set(sources)
    for use, found in {**steps, **sources}.items():
        assert found.model_fields["use"].default == use
    assert all(issubclass(found, Step) for found in steps.values())
    assert all(issubclass(found, Source) for found in sources.values())
    assert issubclass(steps["signals"], ClipStep)
    assert list(steps) == discovery.names("step") == sorted(steps)
    assert list(sources) == discovery.names("source")


def test_every_option_is_explained() -> None:
    for found in [*discovery.steps().values(), *discovery.sources().values(), *discovery.engines().values()]:
        assert found.__doc__, found
        unexplained = {name for name, field in found.model_fields.items() if not field.description}
        assert unexplained <= {"use", "license"}, found


def test_options_that_judge_are_no_part_of_the_identity_and_others_are() -> None:
    resolution, colors = discovery.step("resolution"), discovery.step("colors")
    assert resolution.judging() == {"min_short_px", "max_short_px", "min_aspect", "max_aspect"}
    assert resolution(min_aspect=1).identity() == resolution(min_short_px=480).identity()
    assert colors.judging() == {"min_colorfulness"}
    for found in discovery.engines().values():
        assert "in_flight" in found.placing()


def test_a_new_file_is_a_new_step(add: Add) -> None:
    assert "brand_new" not in discovery.names("step")
    add("brand_new", GOOD.format(name="BrandNew", use="brand_new"))
    add("_helper", "raise SystemError('not imported')")
    assert discovery.step("brand_new")().use == "brand_new"
    assert "brand_new" in discovery.steps()
    assert "_helper" not in discovery.names("step")


def test_one_step_imports_one_file(add: Add) -> None:
    add("broken", "raise SystemError('imported')")
    assert "broken" in discovery.names("step")
    assert discovery.step("luma").__name__ == "Luma"
    with pytest.raises(SystemError):
        discovery.steps()


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        discovery.step("no_such_step")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this one has: none"),
        (GOOD.format(name="One", use="mine") + GOOD.format(name="Two", use="mine"), "this one has: One, Two"),
        ("from shotscribe.filters.luma import Luma", "this one has: none"),
        (GOOD.format(name="Mine", use="other"), 'must declare `use: Literal["mine"] = "mine"`'),
        (
            "from shotscribe.builder.contract.step import Step\nclass Mine(Step):\n    use: str = 'mine'",
            "must declare `use:",
        ),
        (GOOD.replace("(_Base)", "(ClipStep)").format(name="Mine", use="mine"), "Mine must define make"),
    ],
)
def test_a_file_that_breaks_the_contract_is_named(add: Add, text: str, said: str) -> None:
    add("mine", text)
    with pytest.raises(RunError) as refused:
        discovery.step("mine")
    assert "mine.py: " in str(refused.value)
    assert said in str(refused.value)


def test_two_files_of_one_name_are_refused(add: Add) -> None:
    add("luma", GOOD.format(name="Luma", use="luma"), package="captioners")
    with pytest.raises(RunError, match=r"filters\.luma and shotscribe\.captioners\.luma have one name"):
        discovery.names("step")
