"""Where a run builds, and where its state is.

The whole dataset is in its folder, its state in `.work/` there. A run of the first rows only makes a sample: a dataset
of its own in a folder beside it, `<folder>-limit-<N>`, over the state of the whole. So each uses what the other
measured, asked for and cut, and neither touches what the other published.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import RunError
from .files import write_text

_SAMPLE = "-limit-"


@dataclass(frozen=True, slots=True)
class Output:
    """`folder`: what is published, under `name`; `work`: the state, which a sample shares with the whole dataset."""

    name: str
    folder: Path
    work: Path
    suffix: str

    def state(self, name: str) -> Path:
        """A file or folder of the state that is this output's alone."""
        stem, dot, ending = name.partition(".")
        return self.work / f"{stem}{self.suffix}{dot}{ending}"

    def claim(self) -> None:
        """Make the folder; a sample's says where its state is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.suffix and not self.is_sample():
            write_text(self.folder / ".work", self._pointer())

    def check_foreign(self) -> None:
        """Never write over what is not ours. Raises RunError."""
        whole = self.work.parent
        if self.work.is_file():
            there = self.work.read_text("utf-8").strip()
            raise RunError(f"{whole}: is a sample, whose state is in {there}; give this run another folder with --out")
        for folder, ours in ((whole, self.work.is_dir()), (self.folder, not self.suffix or self.is_sample())):
            if folder.is_dir() and not ours and any(folder.iterdir()):
                raise RunError(
                    f"{folder}: there are files in it that no build made; give this run another folder with --out"
                )

    def is_sample(self) -> bool:
        """Whether the folder is a sample over this state."""
        pointer = self.folder / ".work"
        return pointer.is_file() and pointer.read_text("utf-8") == self._pointer()

    def _pointer(self) -> str:
        return f"{os.path.relpath(self.work, self.folder)}\n"


def output_of(name: str, folder: Path, *, limit: int | None) -> Output:
    """Where a run of so many rows (None: of all) builds, for a dataset of this name that belongs into `folder`."""
    suffix = "" if limit is None else f"{_SAMPLE}{limit}"
    folder = folder.absolute()
    return Output(name + suffix, folder.with_name(folder.name + suffix), folder / ".work", suffix)


def outputs(work: Path) -> Iterator[Output]:
    """The whole dataset of a state, and its samples whose folders are there."""
    whole = work.parent
    yield Output(whole.name, whole, work, "")
    for folder in sorted(whole.parent.iterdir()):
        suffix = folder.name.removeprefix(whole.name)
        if folder.name.startswith(whole.name) and suffix.startswith(_SAMPLE):
            sample = Output(folder.name, folder, work, suffix)
            if sample.is_sample():
                yield sample
