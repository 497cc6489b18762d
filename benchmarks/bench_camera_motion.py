"""How often the camera_motion labels are those of the demo's truth, and the CPU time of a pair of frames.

    python benchmarks/bench_camera_motion.py [--seeds 10] [--clips 40] [--work FOLDER]

Right means: the same labels, all of them. At least 95% is the target.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from shotscribe.builder.clip import SIGNAL_FRAMES, Clip, path_of
from shotscribe.builder.source import SourceClip
from shotscribe.builder.sources.demo import Demo
from shotscribe.builder.video import Decode, decode, probe
from shotscribe.filters.camera_motion import CameraMotion
from shotscribe.filters.motion import Motion

LIMITS = Decode()


def clip_of(path: str) -> Clip:
    end = probe(path, start=None, end=None, limits=LIMITS)["end"]
    frames = decode(path, start=0.0, end=end, samplings=[SIGNAL_FRAMES], limits=LIMITS)
    return Clip({}, frames.__getitem__)


def main(*, seeds: int, clips: int, work: Path) -> None:
    camera, motion = CameraMotion(), Motion()
    right: Counter[str] = Counter()
    wrong: defaultdict[str, list[str]] = defaultdict(list)
    cpu_s, pairs = 0.0, 0
    for seed in range(seeds):
        for source in Demo(seed=seed, count=clips).clips(work):
            assert isinstance(source, SourceClip)
            clip = clip_of(path_of(source.media))
            began = time.process_time()
            labels = camera.derive(camera.measure(clip))["camera_motion"]
            motion.measure(clip)  # shares the flow
            cpu_s += time.process_time() - began
            pairs += len(clip.frames().times) - 1
            kind, truth = source.extra["truth_kind"], source.extra["truth_camera_motion"]
            if labels == truth:
                right[kind] += 1
            else:
                wrong[kind].append(f"{source.source_id}: {'+'.join(labels)}, not {'+'.join(truth)}")
    for kind in sorted({*right, *wrong}):
        print(f"{kind:16} {right[kind]} of {right[kind] + len(wrong[kind])} right")
        for line in wrong[kind]:
            print(f"    {line}")
    total = right.total() + sum(map(len, wrong.values()))
    print(f"labels right: {right.total() / total:.3f} ({right.total()} of {total})")
    print(f"camera_motion and motion together: {1000 * cpu_s / pairs:.2f} ms of CPU time a pair of frames")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--work", type=Path, help="keep the rendered clips here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(seeds=args.seeds, clips=args.clips, work=args.work or Path(folder))
