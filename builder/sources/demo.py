"""The demo corpus: clips rendered from a seed, with known truth.

A virtual camera moves over painted worlds; what it does, and what was done to the picture, is stored in the columns
`truth_*`, so that tests and benchmarks can score the filters. A clip depends on the seed and its number alone, so a
larger `count` adds clips to the same ones.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from ..contract.clip import Columns
from ..contract.locations import media_of
from ..contract.source import Source, SourceClip
from ._demo.camera import COPIED, KINDS, Shot, script

_RENDERING = "demo-1"  # the folder's name: a changed rendering takes another, and never reuses old files


class Demo(Source):
    """Clips that the command renders itself: nothing to download, and the right answers are known."""

    use: Literal["demo"] = "demo"
    license: str | None = "cc0-1.0"
    seed: int = Field(default=0, ge=0)
    """Another seed paints other worlds and moves otherwise."""
    count: int = Field(default=40, ge=1)
    """Number of clips; every kind appears once in each 20."""

    def adds(self) -> Columns:
        return {"truth_kind": "string", "truth_camera_motion": ["string"], "truth_duplicate_of": "string"}

    def clips(self, work: Path) -> Iterator[SourceClip]:
        """Renders what is not there yet; a file appears under its name only when it is whole."""
        for index in range(self.count):
            shot = self._script(index)
            truth = {
                "truth_kind": KINDS[index % len(KINDS)],
                "truth_camera_motion": list(shot.labels),
                "truth_duplicate_of": self._source_id(_original(index)) if _original(index) != index else None,
            }
            path = self._file(index, work)
            yield SourceClip(self._source_id(index), media_of(path), source_caption=shot.caption, extra=truth)

    def _source_id(self, index: int) -> str:
        return f"seed{self.seed}/{index:04d}-{KINDS[index % len(KINDS)].replace('_', '-')}.mp4"

    def _script(self, index: int) -> Shot:
        original = _original(index)
        return script(KINDS[original % len(KINDS)], np.random.default_rng([self.seed, original]))

    def _file(self, index: int, work: Path) -> Path:
        path = (work / _RENDERING / self._source_id(index)).absolute()
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            if KINDS[index % len(KINDS)] == "exact_duplicate":
                shutil.copyfile(self._file(_original(index), work), part)
            else:
                from ._demo.film import render

                render(self._script(index), part, seed=(self.seed, _original(index)), again=_original(index) != index)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path


def _original(index: int) -> int:
    """The number of the clip that a copy copies; of any other clip its own."""
    cycle, place = divmod(index, len(KINDS))
    kind = KINDS[place]
    return cycle * len(KINDS) + KINDS.index(COPIED.get(kind, kind))
