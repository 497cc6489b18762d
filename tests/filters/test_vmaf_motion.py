"""VMAF motion and frozen stretches against FFmpeg's own filters over the file, which is read independently."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.filters._picture_change import CHANGES
from shotscribe.filters.freeze import Freeze
from shotscribe.filters.vmaf_motion import VmafMotion

Encode = Callable[..., Path]
Moving = Callable[..., Iterable[np.ndarray]]
PartOf = Callable[..., Clip]


def by_ffmpeg(path: Path) -> tuple[float, list[float]]:
    """The mean of vmafmotion, and the seconds of the frozen stretches that ended, of the file's own frames."""
    scores, frozen = list[float](), list[float]()
    with av.open(str(path)) as container:
        stream, graph = container.streams.video[0], Graph()
        source, sink = graph.add_buffer(template=stream), graph.add("buffersink")
        filters = graph.add("vmafmotion"), graph.add("freezedetect", "n=0.001:d=0.15")
        graph.link_nodes(source, *filters, sink).configure()
        for frame in container.decode(stream):
            source.push(frame)
            told = sink.pull().metadata
            scores.append(float(told["lavfi.vmafmotion.score"]))
            frozen += [float(told[key]) for key in told if key.endswith("freeze_duration")]
    return float(np.mean(scores)), frozen


def test_as_ffmpeg_measures_the_file(encode: Encode, moving: Moving, part_of: PartOf, tmp_path: Path) -> None:
    slides = list(moving(20, size=(96, 160)))
    frames = [*slides, *[slides[-1]] * 15, *slides[5:15], *[slides[3]] * 6]
    path = encode(tmp_path / "a.mp4", frames, fps=10)
    clip = part_of(path, sampling=CHANGES, duration=5.1)
    motion, frozen = by_ffmpeg(path)
    assert VmafMotion().make(clip, NO_ENGINE)["vmaf_motion"] == pytest.approx(motion, rel=0.02)
    still = Freeze().make(clip, NO_ENGINE)["still_stretches"]
    assert still[:-1] == pytest.approx(frozen, abs=1e-4)
    assert still == pytest.approx([1.6, 0.6]), "the last one lasts until the clip ends, which FFmpeg does not say"


@pytest.mark.parametrize("size", [(3, 3), (17, 31), (64, 64)])
def test_any_size_and_one_frame(encode: Encode, part_of: PartOf, size: tuple[int, int], tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [np.full((*size, 3), 99, np.uint8)], fps=10, codec="ffv1", pix_fmt="bgr0")
    clip = part_of(path, sampling=CHANGES, duration=0.1)
    assert VmafMotion().make(clip, NO_ENGINE) == {"vmaf_motion": 0.0}
    assert Freeze().make(clip, NO_ENGINE) == {"still_stretches": []}


def test_limits() -> None:
    step = VmafMotion(min=2, max=14)
    said = [step.verdict({"vmaf_motion": value}) for value in (1.9, 2.0, 14.0, 14.1)]
    assert [why and why.option for why in said] == ["min", None, None, "max"]
    with pytest.raises(ValidationError):
        VmafMotion(min=3, max=2)
