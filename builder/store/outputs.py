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

FORMAT = "3"
"""Of the state in `.work`: raised where files in it mean something else than before."""

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


def check_format(work: Path) -> None:
    """Raises RunError where the state was written in another format than this version's; a new one is marked."""
    mark = work / "FORMAT"
    there = mark.read_text("utf-8").strip() if mark.is_file() else None
    if there == FORMAT:
        return
    if there is not None or any((work / name).exists() for name in ("values", "clips", "tars", "filling")):
        raise RunError(
            f"{work}: its state has the format {there or 1}, this version's is {FORMAT}. Go on with the version that "
            f"wrote it, or move it away (mv {work} {work}-{there or 1}) and run the same command again: everything is "
            "then measured and captioned anew"
        )
    write_text(mark, f"{FORMAT}\n")


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
