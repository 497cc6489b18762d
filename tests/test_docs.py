"""What the documentation shows is what works: its code runs, its commands run, its files are there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def examples() -> dict[str, str]:
    """CONTRIBUTING.md's files: path -> code."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return dict(re.findall(r"^## .*: `([\w/]+\.py)`\n.*?```python\n(.*?)```", text, re.MULTILINE | re.DOTALL))


def example_class(path: str, tmp_path: Path) -> type:
    """The public class of an example, imported as if its file lay in its folder."""
    name = "shotscribe." + path.removesuffix(".py").replace("/", ".")
    file = tmp_path / Path(path).name
    file.write_text(examples()[path])
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return getattr(module, Path(path).stem.title())


def test_there_is_an_example_of_each_kind() -> None:
    assert list(examples()) == ["filters/grain.py", "captioners/title.py", "builder/sources/listing.py"]


def test_the_filter_example_measures_and_judges(tmp_path: Path) -> None:
    from shotscribe.builder.clip import Clip, Frames

    grain = example_class("filters/grain.py", tmp_path)(max=20)
    rng = np.random.default_rng(0)
    for amplitude, kept in ((2, True), (200, False)):
        images = [rng.integers(0, amplitude, (48, 64, 3)).astype(np.uint8) for _ in range(3)]
        clip = Clip({}, lambda _, images=images: Frames(np.arange(3.0), images))
        values = grain.measure(clip)
        assert (grain.verdict(values) is None) == kept


@pytest.mark.parametrize(("text", "caption"), [("  A   dog \n runs", "A dog runs"), (None, "")])
def test_the_captioner_example_captions(tmp_path: Path, text: str | None, caption: str) -> None:
    import asyncio

    from shotscribe.builder.clip import Clip

    step = example_class("captioners/title.py", tmp_path)()
    clip = Clip({"source_caption": text}, lambda _: pytest.fail("needs no frames"))
    assert asyncio.run(step.caption(clip, None)) == {"title": caption}


def test_the_source_example_lists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4\nb/c.mp4\n")
    source = example_class("builder/sources/listing.py", tmp_path)(path=tmp_path / "list.txt")
    assert [clip.source_id for clip in source.clips(tmp_path)] == ["a.mp4", "b/c.mp4"]
