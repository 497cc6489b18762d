"""One stage over one piece of the clip table.

What its steps have not yet made for the piece's clips is made and stored (`fill.py`); then the steps judge the rows
(`judge.py`). So a run that finds everything stored only judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ..contract.clip import Row, Values
from ..contract.errors import Rejection
from ..contract.step import ClipStep, Measured
from ..contract.urls import is_url
from ..recipe.plan import PlannedStep, Stage
from ..store.rejects import reject_of
from ..store.values import ValueStore, value_store
from .download import ANEW
from .fill import fill
from .judge import StepCount, judge
from .lookup import Lookup, look_up
from .making import Making
from .split import split
from .state import Settings, StageWatch

Decisions = Mapping[str, Mapping[str, Rejection]]
"""What table steps have decided, by the name of their step and by clip_id."""


@dataclass(slots=True)
class StageDone:
    """A piece after a stage: the rows that are left; its rejects in the order of the clips; the funnel of its steps.

    Where a stage ends early, the rejects are those that were known by then.
    """

    table: pa.Table
    rejects: list[Values] = field(default_factory=list)
    counts: dict[str, StepCount] = field(default_factory=dict)


def run_stage(
    stage: Stage, done: StageDone, *, piece: str, settings: Settings, watch: StageWatch, decisions: Decisions
) -> None:
    """Take the rows of a piece through a stage, in place."""
    watch.begin()
    if stage.kind == "split":
        _split(stage, done, watch)
        return
    first = next((at for at, planned in enumerate(stage.steps) if _makes(planned)), len(stage.steps))
    lead, rest = stage.steps[:first], stage.steps[first:]
    order = done.table.column("clip_id").to_pylist()
    led = judge(done.table, lead, stored={}, decisions=decisions)
    fresh: list[Measured] = []
    failed: list[Values] = []

    def on_clip(row: Row, measured: Measured) -> None:
        fresh.append(measured)
        if measured.failed is not None and measured.rejection is not None:
            failed.append(reject_of(row, measured.failed, measured.rejection))
        watch.count(measured)

    making = [planned for planned in rest if _makes(planned)]
    stores = {planned.name: value_store(settings.work, planned.step, planned.key) for planned in making}
    stored = {name: store.read(piece, retry=settings.retry, passing=False) for name, store in stores.items()}
    makes = Making(stage, settings)
    try:
        lookup = look_up(led.table, making, stored)
        _download(lookup, stores, piece=piece, settings=settings)
        if fill(
            piece,
            lookup,
            stores=stores,
            stored=stored,
            make=makes.make,
            work=settings.work,
            engine=makes.engine,
            retry=settings.retry,
            on_clip=on_clip,
        ):
            stored = {name: store.read(piece) for name, store in stores.items()}
    except BaseException:
        done.rejects = _in_order([*led.rejects, *failed], order)
        raise
    judged = judge(led.table, rest, stored=stored, decisions=decisions)
    done.table, done.counts = judged.table, {**led.counts, **judged.counts}
    done.rejects = _in_order([*led.rejects, *judged.rejects], order)
    dropped = Counter[str](row["reason"] for row in done.rejects) - Counter(row["reason"] for row in failed)
    came = 0 if stage.kind == "table" else led.table.num_rows - len(fresh) + len(led.rejects)
    watch.progress.advance(cached=came, kept=-dropped.total(), rejected=dropped)


def _split(stage: Stage, done: StageDone, watch: StageWatch) -> None:
    """Rows become other ones: those that come of a clip, and those of its parts that are left out."""
    rows = done.table.num_rows
    parts = split(done.table, stage.steps[0], ends=stage.ends)
    done.table, done.rejects, done.counts = parts.table, parts.rejects, parts.counts
    watch.expect(parts.table.num_rows + len(parts.rejects) - rows)
    watch.progress.advance(kept=parts.table.num_rows, rejected=Counter(row["reason"] for row in parts.rejects))


def _makes(planned: PlannedStep) -> bool:
    return isinstance(planned.step, ClipStep)


def _download(lookup: Lookup, stores: Mapping[str, ValueStore], *, piece: str, settings: Settings) -> None:
    """Fetch what the clips need that lack values, once an address; what is stored needs no media."""
    downloads, retry, table = settings.downloads, settings.retry, lookup.table
    addresses = filter(is_url, table.column("media").unique().to_pylist()) if lookup.steps else ()
    if not any(retry or downloads.is_missing(address) for address in addresses):
        return
    media = table.column("media").to_pylist()
    wanted = {media[row] for row in lookup.missing}
    anew = set[str]()
    for planned in lookup.steps:
        store = stores[planned.name]
        again = store.read(piece).failed - store.read(piece, retry=ANEW.intersection(retry)).failed
        clips = zip(table.column("clip_id").to_pylist(), lookup.versions[planned.name], strict=True) if again else ()
        anew.update(media[row] for row, clip in enumerate(clips) if clip in again)
    downloads.fetch(sorted(wanted), anew=frozenset(filter(is_url, anew)))


def _in_order(rejects: list[Values], order: Sequence[str]) -> list[Values]:
    """By clip: step by step they would show where the borders of pieces are."""
    place = {clip: at for at, clip in enumerate(order)} if rejects else {}
    return sorted(rejects, key=lambda row: place[row["clip_id"]])
