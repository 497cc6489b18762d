"""A folder of clips and a recipe over it, for the tests of whole runs."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from shotscribe.builder.build import Built, build
from shotscribe.builder.progress import Progress
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.builder.store.seal import damaged

RECIPE = """\
name: small
version: "1"
sources:
  - {{use: folder, path: "{folder}", license: cc0-1.0}}
steps:
  - {{use: duration, min_s: 0.5}}
  - {{use: luma}}
  - {{use: blur}}
  - {{use: motion}}
  - {{use: keyframes, interval_s: 0.5, below: 0.93, embed: {{use: layout}}}}
  - {{use: signals}}
  - {{use: semantic_dedup, column: keyframe_embedding, threshold: 0.995}}
publish: {{caption: caption, shard_size: 60KB}}
run: {{workers: 2, piece_rows: 4, max_reject_rate: 0.6}}
"""

PARTS = """\
name: parts
version: "1"
sources: [{use: table, path: t.csv, license: cc0-1.0}]
steps:
  - {use: duration, min_s: 0.3}
  - {use: luma}
publish: {caption: null, shard_size: 40KB}
run: {workers: 2, piece_rows: 4}
"""


@pytest.fixture(autouse=True)
def _no_damage_of_other_tests() -> None:
    damaged()


@pytest.fixture(scope="session")
def clips_folder(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> Path:
    """Eight good clips, a byte-identical copy, one too short, a text named .mp4, an empty file, a truncated one."""
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(8):
        encode(folder / f"good {seed}.mp4", moving(40, seed=seed, dx=1 + seed / 4))
    (folder / "deep").mkdir()
    (folder / "deep" / "copy.of.good.mp4").write_bytes((folder / "good 0.mp4").read_bytes())
    encode(folder / "short.mp4", moving(5, seed=99))
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").touch()
    (folder / "cut off.mp4").write_bytes((folder / "good 1.mp4").read_bytes()[:3000])
    return folder


@pytest.fixture
def recipe(tmp_path: Path, clips_folder: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE.format(folder=clips_folder))
    return path


@pytest.fixture(name="command")
def command_fixture(entry: list[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`build-dataset ...` in a process of its own."""

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)

    return command


@pytest.fixture(name="published")
def published_fixture() -> Callable[[Path], dict[str, str]]:
    """Everything in a dataset's folder but its state: path -> digest."""

    def published(out: Path) -> dict[str, str]:
        files = sorted(path for path in out.rglob("*") if path.is_file() and ".work" not in path.relative_to(out).parts)
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return published


@pytest.fixture
def parts(tmp_path: Path, clips_folder: Path) -> Path:
    """A recipe over twelve clips, each a part of a file: the first lasts 0.40 s, each one 0.02 s longer."""
    for path in clips_folder.glob("good *.mp4"):
        shutil.copy2(path, tmp_path)
    rows = [f"good {at % 8}.mp4,0.1,{0.5 + at / 50:.2f}" for at in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["path,start,end", *rows]) + "\n")
    path = tmp_path / "parts.yaml"
    path.write_text(PARTS)
    return path


@pytest.fixture(name="run")
def run_fixture() -> Callable[..., Built]:
    """A build in this process; its lines of news go into `said`."""

    def run(recipe: Path, out: Path, *, limit: int | None = None, said: list[str] | None = None) -> Built:
        progress = Progress(Console(file=io.StringIO(), force_terminal=False))
        if said is not None:
            progress.say = said.append  # type: ignore[method-assign]
        return build(recipe, out=out, limit=limit, progress=progress)

    return run


class WorkDone:
    """How many clips workers of this process were given to measure and to cut, since `clear`."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()

    def __call__(self) -> dict[str, int]:
        return {name: count for name, count in self.counted.items() if name in ("cut_file", "measure_clip")}

    def clear(self) -> None:
        self.counted.clear()


@pytest.fixture
def work_done(monkeypatch: pytest.MonkeyPatch) -> WorkDone:
    done, submit, each = WorkDone(), LocalExecutor.submit, LocalExecutor.each

    def counting(self: LocalExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        done.counted[function.__name__] += 1
        return submit(self, function, *args, **kwargs)

    def counting_each(self: LocalExecutor, function: Callable[..., Any], items: Any, /, **kwargs: Any) -> None:
        done.counted[function.__name__] += len(items)
        each(self, function, items, **kwargs)

    monkeypatch.setattr(LocalExecutor, "submit", counting)
    monkeypatch.setattr(LocalExecutor, "each", counting_each)
    return done
