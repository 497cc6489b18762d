"""`shotscribe prune`: free what a dataset's state keeps and its builds do not need.

A build never deletes what cost work: values of steps that were changed, of clips that are listed no longer; cuts of
clips that were dropped; files from addresses. They wait for a threshold to be loosened and for a disk to come back.
What is needed is what the last run of the whole dataset, and of each sample whose folder is there, stands on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from ..contract.errors import RunError
from ..media.local import media_file
from ..output.finished import Needs, needs_of
from ..output.tar_store import TarStore
from ..store.arrow import read_table
from ..store.completions import DIGITS, FOLDER
from ..store.files import locked
from ..store.outputs import Output, outputs
from ..store.seal import DamagedError

_FETCHED = re.compile(r"([0-9a-f]{32})(\.part(\.tag)?)?")


@dataclass(frozen=True, slots=True)
class Spare:
    """Files that nothing needs, and what they are; `paid`: it may have cost money to have them."""

    what: str
    files: list[Path]
    paid: bool = False

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)


def prune(
    out: Annotated[Path, typer.Argument(help="The dataset's folder.", show_default=False, file_okay=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Delete it.")] = False,
    completions: Annotated[
        bool, typer.Option("--completions", help="And what models answered, which may have been paid for.")
    ] = False,
) -> None:
    """Free what the state of a dataset keeps and its last build does not need; without --yes only say what.

    Values of steps as they were before a change, cuts of clips that were dropped, what clips had that are listed no
    longer: kept so that going back costs nothing. Nothing published is touched.
    """
    work = out.absolute() / ".work"
    if work.is_file():
        raise RunError(
            f"{out}: is a sample, whose state is in {work.read_text('utf-8').strip()}; prune the folder of that"
        )
    if not work.is_dir():
        raise RunError(f"{out}: no dataset was built here; give the folder of one")
    with locked(work):
        spare = [found for found in spares(work) if found.files]
        for found in spare:
            kept = "; kept without --completions" if found.paid and not completions else ""
            typer.echo(f"{found.bytes / 1e6:12,.1f} MB  {len(found.files):9,} files  {found.what}{kept}")
            if yes and not kept:
                _delete(found.files)
    if not spare:
        typer.echo("Nothing to free: all that is kept is needed.")
    elif not yes:
        typer.echo("Nothing was deleted; --yes deletes this. What is needed again later is made again.")


def spares(work: Path) -> Iterator[Spare]:
    """What of a state its builds do not need. Raises RunError where that cannot be known."""
    needs = {output: needed for output in outputs(work) if (needed := _needs(output)) is not None}
    if not needs:
        raise RunError(f"{work.parent}: no run came far enough to say what it needs; run the recipe, then prune")
    steps = frozenset[str]().union(*(needed.values for needed in needs.values()))
    pieces = frozenset[str]().union(*(needed.pieces for needed in needs.values()))
    stored = sorted((work / "values").glob("*/*.arrow"))
    yield Spare(
        "values of steps that the recipe no longer has", [path for path in stored if path.parent.name not in steps]
    )
    gone = [path for path in stored if path.parent.name in steps and (piece := _piece(path)) and piece not in pieces]
    gone += [
        path
        for output, needed in needs.items()
        for path in sorted(output.state("clips").glob("*.arrow"))
        if path.name.split(".")[0] not in needed.pieces
    ]
    yield Spare("values and lists of clips that the sources no longer have", gone)
    engines = {engine[:DIGITS] for needed in needs.values() for engine in needed.engines}
    yield Spare(
        "answers of engines that the recipe no longer has, and about clips that the sources no longer have",
        [
            path
            for path in sorted((work / FOLDER).glob("*/*.jsonl"))
            if path.parent.name not in engines or path.stem not in pieces
        ],
        paid=True,
    )
    named = {name for output, needed in needs.items() for name in _media(output, needed)}
    fetched = sorted(path for path in (work / "media").glob("*") if _FETCHED.fullmatch(path.name))
    yield Spare(
        "files from addresses that no clip has any longer",
        [path for path in fetched if str(path.with_name(path.name[:32])) not in named],
    )
    if all(needed.finished for needed in needs.values()):
        store = TarStore.open(next(iter(needs)).folder, work)
        yield Spare("cuts of clips that were dropped", store.spare())
        yield Spare("logs of clips that no run went on with", sorted((work / "filling").rglob("*.jsonl")))
    else:
        typer.echo("A run is not finished: cuts and logs are kept for it.")


def _needs(output: Output) -> Needs | None:
    needed = needs_of(output)
    if needed is None and (output.folder / "build.json").exists():
        raise RunError(f"{output.folder}: nothing says what it was built from; run its recipe again, then prune")
    return needed


def _piece(values: Path) -> str | None:
    """The piece that stored values belong to; decisions over the whole table are of none."""
    name = values.name.removesuffix(".arrow")
    return None if name.startswith("decisions-") else name.rpartition(".")[0]


def _media(output: Output, needed: Needs) -> Iterator[str]:
    """The local files of the clips that an output lists."""
    for piece in needed.pieces:
        for media in _clips(output.state("clips") / f"{piece}.arrow").column("media").unique().to_pylist():
            yield media_file(media, output.work / "media")


def _delete(files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in files}:
        with suppress(OSError):  # what is left in it is needed
            folder.rmdir()


def _clips(path: Path) -> pa.Table:
    try:
        return read_table(path)
    except DamagedError:
        raise RunError(f"{path}: is not as it was written; run build-dataset first, which makes it anew") from None
