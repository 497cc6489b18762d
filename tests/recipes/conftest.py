"""Running recipes over small clips, and reading what comes out."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.store.arrow import read_table

Row = dict[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]

PAINTS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 215, 50),
    "orange": (240, 140, 40),
    "purple": (150, 60, 180),
}
"""As the truthful model learnt them."""


@dataclass(frozen=True)
class Result:
    """A dataset. `samples`: as `datasets` streams them; `said`: what the command told meanwhile."""

    out: Path
    kept: list[Row]
    rejects: list[Row]
    samples: list[Row]
    said: str

    def why(self) -> list[tuple[str, str, str]]:
        return sorted((row["source_id"], row["step"], row["reason"]) for row in self.rejects)

    def with_media(self) -> bool:
        """Whether each sample has its video; anything between is a fault."""
        videos = set[str]()
        for shard in (self.out / "data").glob("*.tar"):
            with tarfile.open(shard) as members:
                videos.update(name for name in members.getnames() if name.endswith(".mp4"))
        if not videos:
            assert all("mp4" not in sample for sample in self.samples)
            return False
        assert videos == {f"{row['clip_id']}.mp4" for row in self.kept}
        assert all(sample["mp4"]["bytes"][4:8] == b"ftyp" for sample in self.samples)
        return True


@pytest.fixture(name="run", scope="session")
def run_fixture(entry: list[str]) -> Run:
    """The command over a recipe's file, with the variables that the file names; None takes one away."""

    def run(recipe: Path, *arguments: object, **variables: Path | str | None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **{key: str(value) for key, value in variables.items()}}
        for key in [key for key, value in variables.items() if value is None]:
            del environment[key]
        command = [*entry, *map(str, (recipe, *arguments))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)

    return run


@pytest.fixture(name="read", scope="session")
def read_fixture() -> Callable[..., Result]:
    """What a run made in its folder: the table of its clips, and the same rows in its shards."""

    def read(done: subprocess.CompletedProcess[str], out: Path) -> Result:
        import datasets

        assert done.returncode == 0, done.stderr
        kept, rejects = (pq.read_table(out / name).to_pylist() for name in ("metadata", "rejects.parquet"))
        samples = list(datasets.load_dataset(str(out), split="train", streaming=True))
        assert [sample["__key__"] for sample in samples] == [row["clip_id"] for row in kept]
        for sample, row in zip(samples, kept, strict=True):
            assert sample["txt"] == row["caption"]
            assert {key: sample["json"][key] for key in ("source", "source_id", "source_url", "license")} == {
                key: row[key] for key in ("source", "source_id", "source_url", "license")
            }
        listed = read_table(out / ".work" / "clips" / "head.arrow").column("clip_id").to_pylist()
        kept.sort(  # as the sources have them: the tars are shuffled
            key=lambda row: (listed.index(row.get("parent_id", row["clip_id"])), row["start"])
        )
        return Result(out, kept, rejects, samples, done.stderr)

    return read


@pytest.fixture(name="clip", scope="session")
def clip_fixture(encode: Callable[..., Path]) -> Callable[..., Path]:
    """A clip that the filters of every recipe let pass, 15 frames a second: patches of one colour after another that
    slide to the left, each colour for so many seconds. Clips of a colour show the same picture.
    """

    def clip(path: Path, *colors: str, seconds: float = 2.4, size: tuple[int, int] = (256, 336), dx: float = 3) -> Path:
        return encode(path, pictures(colors, frames=round(15 * seconds), size=size, dx=dx), fps=15)

    return clip


def pictures(colors: Sequence[str], *, frames: int, size: tuple[int, int], dx: float) -> Iterator[np.ndarray]:
    """Large patches, so that no two colours look alike from afar, with fine ones over them, so that they are sharp."""
    height, width = size[0], size[1] + round(abs(dx) * frames) + 1
    for color in colors:
        rng = np.random.default_rng(list(PAINTS).index(color))
        shade = np.zeros((height, width, 1))
        for patch in (size[0] // 3, 8):
            cells = rng.uniform(-20, 20, (height // patch + 1, width // patch + 1, 1))
            shade += np.kron(cells, np.ones((patch, patch, 1)))[:height, :width]
        picture = np.clip(np.array(PAINTS[color]) + shade, 0, 255).astype(np.uint8)
        for index in range(frames):
            at = round(dx * index)
            yield picture[:, at : at + size[1]]


@pytest.fixture(name="write_csv", scope="session")
def write_csv_fixture() -> Callable[..., None]:
    def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return write_csv


@pytest.fixture(name="write_json", scope="session")
def write_json_fixture() -> Callable[..., None]:
    def write_json(path: Path, value: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    return write_json
