"""From the rows that are left to the finished folder: shards, metadata, rejects, build record, card and report."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from ...cards.card import card
from ...cards.plots import distributions_png, funnel_png
from ...cards.record import BuildRecord
from ...cards.report import report
from ..contract.clip import REJECT_COLUMNS, Row, Values
from ..contract.errors import Rejection
from ..contract.executor import Executor
from ..contract.identity import canonical_json
from ..contract.locations import media_of
from ..contract.urls import is_url
from ..media.cut import Form
from ..media.local import media_file
from ..recipe.plan import Plan
from ..recipe.recipe import Recipe
from ..run.download import Downloads
from ..run.state import Outcome, too_many_errors
from ..store.arrow import read_table
from ..store.files import write_bytes, write_text
from ..store.outputs import Output
from ..store.rejects import reject_of, rejects_table
from .entries import Sample, cut_key
from .generations import read_generations, write_generations
from .layout import Generation, Layout, in_source_order, shuffled
from .rows import OrderedRows, PublishedRows, published_rows
from .shards import Shard, WantedTar, pack
from .tables import write_rejects, write_tables
from .tar_store import TarStore
from .tars import tar_digest
from .uncaptioned import is_blank, uncaptioned


def publish(
    outcome: Outcome,
    *,
    recipe: Recipe,
    plan: Plan,
    output: Output,
    downloads: Downloads,
    executor: Executor,
    on_packed: Callable[[int], None],
) -> tuple[list[Shard], list[str], dict[str, Rejection]]:
    """Write shards, metadata and rejects; the shards, the metadata files, and the clips that failed there.

    Raises RunError if the folder cannot be written, or if all clips or more than `max_reject_rate` failed: what an
    earlier run published then stays as it is.
    """
    columns = {name: kind for name, kind in plan.columns.items() if name in plan.published}
    caption, embed = recipe.publish.caption, recipe.publish.media == "embed"
    failed = uncaptioned(outcome.tables, caption) if caption and recipe.publish.uncaptioned == "reject" else {}
    check = partial(_check_failed, outcome, work=output.work, limit=recipe.run.max_reject_rate)
    check(failed)  # before anything is fetched again or encoded
    on_packed(len(failed))
    counted = len(failed)

    def count(clips: int) -> None:
        """Of those that are packed again because a tar came out empty, none."""
        nonlocal counted
        news = min(clips, outcome.rows - counted)
        counted += news
        on_packed(news)

    store = TarStore.open(output.folder, output.work)
    while True:
        rows = published_rows(outcome.tables, columns=columns, caption=caption, embed=embed, left_out=failed.keys())
        layout = _layout(rows, recipe=recipe, output=output)
        with OrderedRows(rows, layout.order, output.work / "scratch" / "rows") as ordered:
            wanted = _wanted(layout, rows, ordered, list(columns), recipe=recipe, media_folder=downloads.folder)
            if embed:
                downloads.fetch(_needed(wanted, rows, store=store, downloads=downloads))
                downloads.finish()
            made, lost = pack(wanted, store=store, embed=embed, executor=executor, limits=recipe.decode, on_done=count)
            failed = {**failed, **lost}
            check(failed)
            complete = {path: digest for path in (tar.path for tar in layout.tars) if (digest := made[path])}
            if len(complete) < len(made):  # a tar without a clip: the others are laid out anew
                continue
            shards = [Shard(path, tar.rows, tar.bytes, tar.sha256) for path, tar in store.publish(complete).items()]
            kept = (_without(table, failed) for table in ordered.tables(0, len(rows)))
            tars = [(shard.path, shard.rows) for shard in shards]
            metadata = write_tables(kept, out=output.folder, columns=columns, shards=tars)
        if layout.generations:
            write_generations(output, _measured(layout, shards))
        write_rejects(rejected(outcome, failed), path=output.folder / "rejects.parquet")
        return shards, metadata, failed


def _layout(rows: PublishedRows, *, recipe: Recipe, output: Output) -> Layout:
    shard_bytes = recipe.publish.shard_bytes
    if recipe.publish.order == "source":
        return in_source_order(rows.pieces, rows.sizes, shard_bytes=shard_bytes)
    settled, members = read_generations(output)
    return shuffled(rows.hashes, rows.sizes, shard_bytes=shard_bytes, settled=settled, members=members)


def _measured(layout: Layout, shards: Sequence[Shard]) -> list[Generation]:
    """The generations, with the size that a clip has in their tars: what they are laid out by the next time."""
    clips, size = Counter[int](), Counter[int]()
    for tar, shard in zip(layout.tars, shards, strict=True):
        clips[tar.generation] += shard.rows
        size[tar.generation] += shard.bytes
    return [
        replace(generation, clip_bytes=size[number] / clips[number]) if clips[number] else generation
        for number, generation in enumerate(layout.generations)
    ]


def _wanted(
    layout: Layout,
    rows: PublishedRows,
    ordered: OrderedRows,
    columns: Sequence[str],
    *,
    recipe: Recipe,
    media_folder: Path,
) -> list[WantedTar]:
    caption = recipe.publish.caption

    def samples(first: int, last: int) -> Iterator[Sample]:
        digests = iter(rows.digests[layout.order[first:last]].tolist())
        for table in ordered.tables(first, last):
            for row in table.to_pylist():
                yield _sample(row, next(digests), columns, caption, media_folder)

    return [
        WantedTar(
            tar.path,
            tar_digest(rows.digests[layout.order[tar.first : tar.last]].tolist()),
            tar.last - tar.first,
            partial(samples, tar.first, tar.last),
        )
        for tar in layout.tars
    ]


def _needed(wanted: Sequence[WantedTar], rows: PublishedRows, *, store: TarStore, downloads: Downloads) -> list[str]:
    """The addresses whose files are gone since they were measured, and which a clip has yet to be cut from."""
    media = {address for path in rows.tables for address in read_table(path).column("media").unique().to_pylist()}
    gone = {
        media_of(media_file(address, downloads.folder)): address
        for address in sorted(media)
        if downloads.is_missing(address)
    }
    samples = (sample for tar in wanted if gone and not store.has(tar.digest) for sample in tar.samples())
    uncut = (sample.media for sample in samples if sample.media in gone and not store.find(cut_key(sample)))
    return [gone[file] for file in dict.fromkeys(uncut)]


def _check_failed(outcome: Outcome, failed: Mapping[str, Rejection], *, work: Path, limit: float) -> None:
    reasons = Counter(str(rejection.reason) for rejection in failed.values() if rejection.reason.is_error)
    if len(failed) < outcome.rows and reasons.total() <= limit * outcome.rows:
        return
    write_rejects(rejected(outcome, failed), path=work / "rejects.parquet")
    raise too_many_errors("publish", reasons, outcome.rows, limit, work=work)


def _sample(row: Row, digest: int, columns: Sequence[str], caption: str | None, media_folder: Path) -> Sample:
    record = published_row(row, columns)
    return Sample(
        clip_id=row["clip_id"],
        digest=digest,
        media=media_of(media_file(row["media"], media_folder)),
        media_version=row["media_version"],
        media_stat="" if is_url(row["media"]) else row["media_stat"],
        form=Form.of(row),
        text=None if caption is None or is_blank(row[caption]) else row[caption],
        record=canonical_json(record).encode("utf-8"),
    )


def published_row(row: Row, columns: Sequence[str]) -> Values:
    """A row as its `.json` member has it."""
    return {name: _json_value(row[name]) for name in columns}


def _json_value(value: object) -> object:
    """A value as JSON knows it: what is not a number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {name: _json_value(item) for name, item in value.items()}
    return value


def _without(table: pa.Table, failed: Mapping[str, Rejection]) -> pa.Table:
    if not failed:
        return table
    ids = table.column("clip_id").to_pylist()
    return table.take(pa.array([at for at, clip in enumerate(ids) if clip not in failed], type=pa.int64()))


def rejected(outcome: Outcome, failed: Mapping[str, Rejection]) -> Iterator[pa.Table]:
    """The rejects of a run so far, in REJECT_COLUMNS: of its sources and steps, then the clips that `failed` last."""
    for path in outcome.rejects:
        yield read_table(path).select(list(REJECT_COLUMNS))
    if not failed:
        return
    for path in outcome.tables:
        rows = read_table(path).select(["clip_id", "source", "source_id"]).to_pylist()
        yield rejects_table(
            [reject_of(row, "publish", why) for row in rows if (why := failed.get(row["clip_id"])) is not None]
        )


def write_pages(record: BuildRecord, out: Path) -> None:
    """build.json, and what is made of it: the card, the report and their pictures."""
    (out / "assets").mkdir(exist_ok=True)
    write_bytes(out / "assets" / "funnel.png", funnel_png(record))
    if record["distributions"]:
        write_bytes(out / "assets" / "distributions.png", distributions_png(record))
    else:
        (out / "assets" / "distributions.png").unlink(missing_ok=True)
    page = card(record)
    record["card_sha256"] = hashlib.sha256(page.encode()).hexdigest()
    write_text(out / "README.md", page)
    write_text(out / "report.html", report(record))
    write_text(out / "build.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")
