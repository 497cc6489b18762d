from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.locations import path_of
from shotscribe.builder.contract.source import SourceClip, SourceReject
from shotscribe.builder.sources.demo import Demo


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def cycle(work: Path) -> dict[str, SourceClip]:
    """A clip of each kind."""
    return {clip.extra["truth_kind"]: clip for clip in listed(Demo(seed=3, count=20).clips(work))}


def listed(clips: Iterable[SourceClip | SourceReject]) -> list[SourceClip]:
    return [clip for clip in clips if isinstance(clip, SourceClip)]


def images(clip: SourceClip) -> np.ndarray:
    with av.open(path_of(clip.media)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_every_kind_is_there_with_its_truth(cycle: dict[str, SourceClip]) -> None:
    assert len(cycle) == 20
    for clip in cycle.values():
        assert set(clip.extra) == set(Demo().adds())
        assert clip.extra["truth_camera_motion"]
        assert clip.source_caption
    assert {label for clip in cycle.values() for label in clip.extra["truth_camera_motion"]} == {
        "pan_left",
        "pan_right",
        "tilt_up",
        "tilt_down",
        "zoom_in",
        "zoom_out",
        "static",
        "unclassified",
    }
    assert cycle["near_duplicate"].extra["truth_duplicate_of"] == cycle["pan_right"].source_id
    assert cycle["exact_duplicate"].extra["truth_duplicate_of"] == cycle["zoom_in"].source_id
    assert sum(clip.extra["truth_duplicate_of"] is None for clip in cycle.values()) == 18


def test_the_source_caption_tells_the_camera_movement(cycle: dict[str, SourceClip]) -> None:
    assert cycle["tilt_up"].source_caption is not None
    assert cycle["tilt_up"].source_caption.startswith("The camera tilts up over ")
    pan, tilt = cycle["pan_tilt"].extra["truth_camera_motion"]
    told = f"The camera pans {pan.removeprefix('pan_')} and tilts {tilt.removeprefix('tilt_')} over "
    assert str(cycle["pan_tilt"].source_caption).startswith(told)


def test_an_exact_duplicate_has_the_same_bytes_and_a_near_one_nearly_the_same_picture(
    cycle: dict[str, SourceClip],
) -> None:
    same, copied = (Path(cycle[kind].media).read_bytes() for kind in ("zoom_in", "exact_duplicate"))
    assert same == copied
    first, near = images(cycle["pan_right"]), images(cycle["near_duplicate"])
    assert len(first) == len(near)
    down, right = ((a - b) // 2 for a, b in zip(first.shape[1:3], near.shape[1:3], strict=True))
    cropped = first[:, down : down + near.shape[1], right : right + near.shape[2]]
    assert cropped.shape == near.shape
    assert not np.array_equal(cropped, near)
    assert np.corrcoef(cropped.ravel(), near.ravel())[0, 1] > 0.97


def test_what_was_done_to_the_picture_shows(cycle: dict[str, SourceClip]) -> None:
    assert images(cycle["black"]).max() <= 3
    assert 0 < images(cycle["dark"]).mean() < 20
    boxed = images(cycle["letterboxed"])
    assert boxed[:, :16].max() < 40 < boxed[:, 40:-40].mean()
    still = images(cycle["static"]).astype(int)
    assert np.abs(still[0] - still[-1]).mean() < 3
    cut = images(cycle["cut"]).astype(int)
    steps = np.abs(np.diff(cut, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() > 10 * np.median(steps)
    assert steps.max() > 20


def test_clips_look_like_something(cycle: dict[str, SourceClip]) -> None:
    shown = [clip for kind, clip in cycle.items() if kind not in ("black", "dark")]
    for clip in shown:
        picture = images(clip)[0].astype(float)
        assert picture.std() > 12, clip.source_id
        assert 20 < picture.mean() < 235, clip.source_id


def test_the_same_seed_gives_the_same_bytes_whatever_the_count(cycle: dict[str, SourceClip], tmp_path: Path) -> None:
    again = listed(Demo(seed=3, count=2).clips(tmp_path))
    for one in again:
        other = cycle[one.extra["truth_kind"]]
        assert one.source_id == other.source_id
        assert Path(one.media).read_bytes() == Path(other.media).read_bytes()


def test_another_seed_gives_other_clips(cycle: dict[str, SourceClip], work: Path) -> None:
    other = listed(Demo(seed=4, count=1).clips(work))[0]
    assert other.source_id != cycle["pan_right"].source_id
    assert Path(other.media).read_bytes() != Path(cycle["pan_right"].media).read_bytes()


def test_files_that_are_there_are_used_and_no_half_file_is_left(cycle: dict[str, SourceClip], work: Path) -> None:
    path = Path(cycle["static"].media)
    written = path.stat().st_mtime_ns
    assert {clip.source_id: clip for clip in listed(Demo(seed=3, count=20).clips(work))} == {
        clip.source_id: clip for clip in cycle.values()
    }
    assert path.stat().st_mtime_ns == written
    assert [file for file in work.rglob("*") if file.is_file() and file.suffix != ".mp4"] == []


def test_an_interrupted_rendering_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr("shotscribe.builder.sources._demo.film.paint", stopped)
    with pytest.raises(KeyboardInterrupt):
        list(Demo(count=1).clips(tmp_path))
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("wrong", [{"count": 0}, {"seed": -1}, {"clips": 3}])
def test_wrong_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Demo.model_validate(wrong)
