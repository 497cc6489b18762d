"""How often the camera_motion labels are right, on three kinds of truth.

    python benchmarks/bench_camera_motion.py [--seeds 10] [--clips FOLDER] [--each 25] [--work FOLDER]

Rendered: the demo's clips. With --clips, the folder that holds panda/ and real/, also: real clips labelled by eye
(camera_labels.json), with a plain feature tracker beside it where OpenCV is installed; and windows that go over real
footage that stands still (_windows.py). Right means: the same labels, all of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from shotscribe.benchmarks._windows import windows
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import path_of
from shotscribe.builder.contract.source import SourceClip
from shotscribe.builder.media.video import decode, probe
from shotscribe.builder.sources.demo import Demo
from shotscribe.filters.camera_motion import CameraMotion

LIMITS = Decode()
LABELS = Path(__file__).with_name("camera_labels.json")
CAMERA = CameraMotion()


class Score:
    """Right and wrong labels by kind."""

    def __init__(self) -> None:
        self.right: Counter[str] = Counter()
        self.wrong: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, labels: Collection[str], truth: Collection[str], *, told: str) -> None:
        if set(labels) == set(truth):
            self.right[kind] += 1
        else:
            self.wrong[kind].append(f"{told}: {'+'.join(sorted(labels))}, not {'+'.join(truth)}")

    def show(self, name: str) -> None:
        for kind in sorted({*self.right, *self.wrong}):
            print(f"{kind:24} {self.right[kind]} of {self.right[kind] + len(self.wrong[kind])} right")
            for line in self.wrong[kind]:
                print(f"    {line}")
        total = self.right.total() + sum(map(len, self.wrong.values()))
        print(f"{name}: {self.right.total() / max(total, 1):.3f} ({self.right.total()} of {total})\n", flush=True)


def clip_of(path: str) -> Clip:
    end = probe(path, start=None, end=None, limits=LIMITS)["end"]
    frames = decode(path, start=0.0, end=end, samplings=CAMERA.samplings({}), limits=LIMITS)
    return Clip({}, frames.__getitem__)


def labels_of(clip: Clip) -> list[str]:
    return list(CAMERA.derive(CAMERA.make(clip, NO_ENGINE))["camera_motion"])


def demo(*, seeds: int, count: int, work: Path) -> None:
    score, cpu_s, pairs = Score(), 0.0, 0
    for seed in range(seeds):
        for source in Demo(seed=seed, count=count).clips(work):
            assert isinstance(source, SourceClip)
            clip = clip_of(path_of(source.media))
            began = time.process_time()
            labels = labels_of(clip)
            cpu_s += time.process_time() - began
            pairs += len(clip.frames(CAMERA.samplings({})[0]).times) - 1
            truth = source.extra["truth_camera_motion"]
            score.add(source.extra["truth_kind"], labels, truth, told=source.source_id)
    score.show("demo clips")
    print(f"CPU time of a pair of frames: {1000 * cpu_s / pairs:.2f} ms\n")


def real(folder: Path) -> None:
    truths: dict[str, dict[str, Any]] = json.loads(LABELS.read_text("utf-8"))
    judges: dict[str, Callable[[Path], Collection[str]]] = {"camera_motion": lambda path: labels_of(clip_of(str(path)))}
    try:
        from shotscribe.benchmarks._tracker import tracked_labels

        judges["tracker"] = tracked_labels
    except ModuleNotFoundError:
        print("no tracker: pip install opencv-python-headless")
    for name, judge in judges.items():
        score = Score()
        for clip, truth in truths.items():
            labels = judge(folder / "panda" / f"{clip}.mp4")
            score.add("sure" if truth["sure"] else "not sure", labels, truth["labels"], told=clip)
        score.show(f"real clips, {name}")


def moved(folder: Path, *, each: int, work: Path) -> None:
    score = Score()
    for window in windows(folder, work, each=each):
        labels = labels_of(clip_of(str(window.path)))
        score.add("+".join(window.labels), labels, window.labels, told=f"{window.path.name}: {window.told}")
    score.show("windows over real footage")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="of the demo, 40 clips each")
    parser.add_argument("--clips", type=Path, help="the folder that holds panda/ and real/")
    parser.add_argument("--each", type=int, default=25, help="windows of each label")
    parser.add_argument("--work", type=Path, help="keep the rendered clips here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        if args.seeds:
            demo(seeds=args.seeds, count=40, work=work)
        if args.clips:
            real(args.clips)
            moved(args.clips, each=args.each, work=work)
