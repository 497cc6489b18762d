"""How much each frame differs from the one before it: the scores of PySceneDetect's detectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..builder.contract.frames import Images, Reducer, Sampling

WINDOW = 2  # frames on each side that the adaptive detector compares a frame with: its default
LEAST_CONTENT = 15.0
"""That a frame must change for a cut of the adaptive detector: its default."""
_MOST, _NOTHING = 255.0, 1e-5  # the greatest ratio, and a mean that counts as zero
_RATE = 30.0  # the detectors count frames: any rate does


@dataclass(frozen=True, slots=True)
class SceneScores:
    """Of each frame: the content detector's score (mean change of hue, saturation and value, 0 to 255), and how many
    times that of its neighbours it is, 0 to 255, as the adaptive detector has it.
    """

    def begin(self) -> Reducer:
        return _Scorer()


SCENE_FRAMES = Sampling(every_frame=True, long_side_px=256, reduce=SceneScores())
"""PySceneDetect looks at frames of about this size, too."""


class _Scorer:
    """The content detector keeps its latest score to itself; to have it write statistics would cost three times as
    much, as it then looks for edges, too.
    """

    def __init__(self) -> None:
        from scenedetect import ContentDetector, FrameTimecode

        self._detector = ContentDetector()
        self._timecode = FrameTimecode
        self._scores: list[float] = []

    def add(self, image: Images) -> None:
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        self._detector.process_frame(self._timecode(len(self._scores), _RATE), bgr)
        self._scores.append(self._detector._frame_score)

    def end(self) -> npt.NDArray[np.float64]:
        scores = np.array(self._scores, np.float64)
        return np.stack([scores, _ratios(scores)], axis=1)


def _ratios(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How many times the mean of its neighbours each score is; the first and last frames, which lack some, have 0."""
    ratios = np.zeros_like(scores)
    if len(scores) <= 2 * WINDOW:
        return ratios
    around = np.lib.stride_tricks.sliding_window_view(scores, 2 * WINDOW + 1)
    middle = scores[WINDOW:-WINDOW]
    mean = (around.sum(axis=1) - middle) / (2 * WINDOW)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(middle / mean, _MOST)
    ratios[WINDOW:-WINDOW] = np.where(mean > _NOTHING, ratio, np.where(middle >= LEAST_CONTENT, _MOST, 0.0))
    return ratios
