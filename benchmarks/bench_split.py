"""Finding shots with TransNet V2 and PySceneDetect, over what their own packages do: CPU time, and the same cuts.

    python benchmarks/bench_split.py FOLDER

Both sides run in this process on one thread, file by file, taking turns. Theirs: TransNet's `predict_frames` over all
frames at 48x27, decoded by PyAV and scaled bicubically, as the package has FFmpeg do it; PySceneDetect's SceneManager
over its own PyAV backend, with flashes suppressed as ours does. Ours: the step `shots`, which decodes for itself here.
A shot counts as the same where it begins on the same frame. Scaling differs (ours is an area average), so a few do.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
from scenedetect import ContentDetector, SceneManager, open_video
from scenedetect.detector import FlashFilter
from shotscribe.benchmarks.bench_signals import cpu_s
from shotscribe.builder.contract.clip import Clip, Values
from shotscribe.builder.contract.engine import Engine
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.video import decode, probe
from shotscribe.filters._transnet import _model
from shotscribe.filters.shots import Shots

RUNS = 3
LIMITS = Decode()
Begins = list[float]


def main(folder: Path) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".mp4", ".mkv", ".mov") and one_video(path)]
    _model()
    ways: dict[str, tuple[Callable[[Path], Begins], Shots]] = {
        "transnet": (transnet, Shots(by="transnet")),
        "scenes": (scenes, Shots()),
    }
    for name, (theirs, step) in ways.items():
        ratios, same, found = [], 0, 0
        for _ in range(RUNS):
            spent = [0.0, 0.0]
            same = found = 0
            for path in files:
                own, other = list[float](), list[float]()
                spent[0] += cpu_s(partial(keep, own, partial(ours, step), path))
                spent[1] += cpu_s(partial(keep, other, theirs, path))
                same += sum(min(abs(begin - one) for one in other) < 0.01 for begin in own)
                found += max(len(own), len(other))
            ratios.append(spent[1] / spent[0])
        print(f"{name}: the package's own / ours: {statistics.median(ratios):.2f} (CPU time, median of {RUNS} runs)")
        print(f"{name}: shots that begin on the same frame: {same} of {found}, in {len(files)} files")


def one_video(path: Path) -> bool:
    """PyAV's and PySceneDetect's first video stream would be another than ours."""
    with av.open(str(path)) as container:
        return len(container.streams.video) == 1


def keep(begins: Begins, find: Callable[[Path], Begins], path: Path) -> None:
    begins += find(path)


def ours(step: Shots, path: Path) -> Begins:
    row = probe(str(path), start=None, end=None, limits=LIMITS)
    clip = Clip(
        row,
        lambda sampling: decode(str(path), start=row["start"], end=row["end"], samplings=[sampling], limits=LIMITS)[
            sampling
        ],
    )
    made = step.make(clip, Engine())
    assert isinstance(made, dict)
    stored: Values = {name: value if value is None else np.asarray(value).tolist() for name, value in made.items()}
    begins: Begins = step.derive({**row, **stored})["shot_starts"]
    return begins


def transnet(path: Path) -> Begins:
    import torch

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        frames, times = [], []
        for frame in container.decode(stream):
            times.append(frame.time)
            frames.append(frame.reformat(48, 27, format="rgb24", interpolation="BICUBIC").to_ndarray())
    single, _ = _model().predict_frames(torch.from_numpy(np.stack(frames)), quiet=True)
    return [times[first] - times[0] for first, _ in _model().predictions_to_scenes(single.numpy())]


def scenes(path: Path) -> Begins:
    video, manager = open_video(str(path), backend="pyav"), SceneManager()
    manager.add_detector(ContentDetector(min_scene_len=0.5, filter_mode=FlashFilter.Mode.SUPPRESS))
    manager.detect_scenes(video)
    return [0.0, *(first.seconds for first, _ in manager.get_scene_list()[1:])]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
