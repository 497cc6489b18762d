"""A recipe as a dataset in hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets


def load_recipe(
    path: str | Path, *, out: str | Path | None = None, streaming: bool = False
) -> datasets.Dataset | datasets.IterableDataset:
    """The dataset of a recipe: built if it is not there yet (or has changed), then loaded from its shards.

    Samples have `mp4`, `txt` and `json` as the recipe publishes them. `out`: the dataset's folder, `out/<name>` if not
    given. A script that calls this needs the usual `if __name__ == "__main__":`, as workers are spawned processes.
    Raises RecipeError, RunError.
    """
    import datasets

    from .build import build
    from .progress import Progress

    bars = not datasets.are_progress_bars_disabled()
    with Progress() as progress:
        built = build(Path(path), out=None if out is None else Path(out), progress=progress)
    if bars:
        datasets.enable_progress_bars()
    loaded: datasets.Dataset | datasets.IterableDataset = datasets.load_dataset(
        str(built.out), split="train", streaming=streaming
    )
    return loaded
