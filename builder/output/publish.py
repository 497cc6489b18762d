"""From the rows that are left to the finished folder: shards, metadata, rejects, build record, card and report."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...cards.card import card
from ...cards.plots import distributions_png, funnel_png
from ...cards.record import BuildRecord
from ...cards.report import report
from ..contract.clip import PRIVATE_COLUMNS, REJECT_COLUMNS
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
from ..store.rejects import reject_of, rejects_table
from .entries import cut_key
from .shards import Sample, Shard, pack
from .tables import write_rejects, write_tables
from .tar_store import TarStore
from .uncaptioned import is_blank, uncaptioned


def publish(
    outcome: Outcome,
    *,
    recipe: Recipe,
    plan: Plan,
    out: Path,
    work: Path,
    downloads: Downloads,
    executor: Executor,
    on_packed: Callable[[int], None],
) -> tuple[list[Shard], list[str], dict[str, Rejection]]:
    """Write shards, metadata and rejects under `out`; the shards, the metadata files, and the clips that failed there.

    Raises RunError if `out` cannot be written, or if all clips or more than `max_reject_rate` failed: what an earlier
    run published then stays as it is.
    """
    columns = {name: kind for name, kind in plan.columns.items() if name in plan.published}
    caption = recipe.publish.caption
    silent = uncaptioned(outcome.tables, caption) if caption and recipe.publish.uncaptioned == "reject" else {}

    def check(failed: Mapping[str, Rejection]) -> None:
        _check_failed(outcome, {**silent, **failed}, work=work, limit=recipe.run.max_reject_rate)

    def samples() -> Iterator[Sample]:
        for path in outcome.tables:
            for row in read_table(path).select([*columns, *sorted(PRIVATE_COLUMNS)]).to_pylist():  # no embeddings
                if row["clip_id"] not in silent:
                    yield _sample(row, list(columns), caption, downloads.folder)

    check({})  # before anything is fetched again or encoded
    on_packed(len(silent))
    if recipe.publish.media == "embed":
        downloads.fetch(_needed(outcome, samples, out=out, work=work, downloads=downloads))
        downloads.finish()
    shards, cut = pack(
        samples,
        out=out,
        work=work,
        embed=recipe.publish.media == "embed",
        shard_bytes=recipe.publish.shard_bytes,
        executor=executor,
        limits=recipe.decode,
        on_done=on_packed,
        before_publishing=check,
    )
    failed = {**silent, **cut}
    kept = (_without(read_table(path), failed) for path in outcome.tables)
    metadata = write_tables(kept, out=out, columns=columns, shards=[(shard.path, shard.rows) for shard in shards])
    write_rejects(rejected(outcome, failed), path=out / "rejects.parquet")
    return shards, metadata, failed


def _needed(
    outcome: Outcome, samples: Callable[[], Iterable[Sample]], *, out: Path, work: Path, downloads: Downloads
) -> list[str]:
    """The addresses whose files are gone since they were measured, and which a clip has yet to be cut from."""
    media = [found for path in outcome.tables for found in read_table(path).column("media").unique().to_pylist()]
    gone = {
        media_of(media_file(address, downloads.folder)): address for address in media if downloads.is_missing(address)
    }
    store = TarStore.open(out, work) if gone else None
    uncut = (sample.media for sample in samples() if store and sample.media in gone and not store.find(cut_key(sample)))
    return [gone[file] for file in dict.fromkeys(uncut)] if gone else []


def _check_failed(outcome: Outcome, failed: Mapping[str, Rejection], *, work: Path, limit: float) -> None:
    reasons = Counter(str(rejection.reason) for rejection in failed.values() if rejection.reason.is_error)
    if len(failed) < outcome.rows and reasons.total() <= limit * outcome.rows:
        return
    write_rejects(rejected(outcome, failed), path=work / "rejects.parquet")
    raise too_many_errors("publish", reasons, outcome.rows, limit, work=work)


def _sample(row: Mapping[str, Any], columns: Sequence[str], caption: str | None, media_folder: Path) -> Sample:
    record = published_row(row, columns)
    return Sample(
        clip_id=row["clip_id"],
        media=media_of(media_file(row["media"], media_folder)),
        media_version="" if is_url(row["media"]) else row["media_version"],
        form=Form.of(row),
        text=None if caption is None or is_blank(row[caption]) else row[caption],
        record=canonical_json(record).encode("utf-8"),
    )


def published_row(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A row as its `.json` member has it."""
    return {name: _json_value(row[name]) for name in columns}


def _json_value(value: Any) -> Any:
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
