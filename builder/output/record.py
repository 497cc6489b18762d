"""The build record: `build.json`, from what a run counted and what lies in the finished folder."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...cards.record import FORMAT, BuildRecord, FileRecord, Histogram, SourceRecord, StepRecord, Verified
from ...cards.record import Sample as SampleRecord
from ..contract.clip import Columns
from ..contract.columns import added_by
from ..contract.errors import Rejection
from ..contract.step import ClipStep
from ..recipe.plan import Plan, PlannedStep
from ..recipe.recipe import Recipe
from ..run.judge import StepCount, Why
from ..run.state import Outcome
from ..store.clips import ClipTable
from .captions import caption_records
from .shards import Shard
from .uncaptioned import count_captioned

_BINS = 24
_NOT_DRAWN = frozenset({"start", "end", "media_duration"})
_LIBRARIES = ("av", "datasets", "huggingface_hub", "numpy", "pyarrow")


def build_record(
    recipe: Recipe,
    plan: Plan,
    *,
    name: str,
    clips: ClipTable,
    outcome: Outcome,
    failed: Mapping[str, Rejection],
    shards: Sequence[Shard],
    files: Sequence[str],
    samples: list[SampleRecord],
    verified: Verified,
    out: Path,
) -> BuildRecord:
    """Everything that the card, the report and a curious reader need; deterministic, with nothing private in it.

    `name`: the dataset's, which a sample has beside the recipe's. `verified`: what was checked of the captions.
    """
    published = dict(_only(plan.columns, plan.published))
    tables = [out / name for name in files if name.startswith("metadata/")]
    metadata = pq.ParquetDataset(list(map(str, tables)))
    own = metadata.read(columns=["duration", "license", "source"])
    return BuildRecord(
        format=FORMAT,
        shotscribe=version("shotscribe"),
        name=name,
        version=recipe.version,
        description=recipe.description,
        recipe=recipe.canonical(),
        sources=_sources(recipe, clips),
        texts_cleaned=clips.cleaned,
        steps=_steps(plan, outcome.counts, failed, sum(shard.rows for shard in shards)),
        columns=published,
        caption=recipe.publish.caption,
        captioned=count_captioned(tables, recipe.publish.caption) if recipe.publish.caption else 0,
        captions=[
            made
            for planned in _planned(plan)
            for made in caption_records(tables, _only(added_by(planned.step), published))
        ],
        verified=verified,
        media=recipe.publish.media,
        rows=own.num_rows,
        seconds=round(pc.sum(own.column("duration")).as_py(), 3),
        bytes=sum(shard.bytes for shard in shards),
        licenses=_count(own.column("license")),
        sources_kept=_count(own.column("source")),
        distributions=_distributions(metadata, published),
        samples=samples,
        shards=[{"path": one.path, "rows": one.rows, "bytes": one.bytes, "sha256": one.sha256} for one in shards],
        files=[_file(out, name) for name in files],
        versions={"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
    )


def _planned(plan: Plan) -> list[PlannedStep]:
    return [planned for stage in plan.stages for planned in stage.steps]


def _only(columns: Columns, names: Collection[str]) -> Columns:
    return {name: kind for name, kind in columns.items() if name in names}


def _count(values: object) -> dict[str, int]:
    counts = Counter[str]()
    for found in pc.value_counts(values).to_pylist():
        counts[found["values"] or "unknown"] += found["counts"]
    return dict(sorted(counts.items()))


def _sources(recipe: Recipe, clips: ClipTable) -> list[SourceRecord]:
    kept: Counter[str] = Counter()
    rejected: dict[str, Counter[Why]] = {}
    for piece in clips.pieces:
        kept.update(clips.clips(piece).column("source").to_pylist())
        for row in clips.rejects(piece).select(["source", "reason", "option"]).to_pylist():
            rejected.setdefault(row["source"], Counter())[row["reason"], row["option"]] += 1
    return [
        SourceRecord(
            use=source.shown_as,
            license=source.license,
            clips=kept[source.shown_as],
            rejected=_by_reason(rejected.get(source.shown_as, {})),
            options=_by_option(rejected.get(source.shown_as, {})),
            remarks=list(clips.remarks[source.shown_as]),
        )
        for source in recipe.sources
    ]


def _steps(
    plan: Plan, counts: Mapping[str, StepCount], failed: Mapping[str, Rejection], published: int
) -> list[StepRecord]:
    steps = [
        StepRecord(
            name=planned.name,
            use=planned.step.use,
            key=planned.key,
            rows_in=counts[planned.name].rows_in,
            rows_out=counts[planned.name].rows_out,
            rejected=_by_reason(counts[planned.name].rejected),
            options=_by_option(counts[planned.name].rejected),
            adds=dict(added_by(planned.step)),
            prompts=dict(planned.step.prompts()) if isinstance(planned.step, ClipStep) else {},
        )
        for planned in _planned(plan)
    ]
    reasons = Counter((str(rejection.reason), rejection.option) for rejection in failed.values())
    steps.append(
        StepRecord(
            name="publish",
            use="publish",
            key="",
            rows_in=published + len(failed),
            rows_out=published,
            rejected=_by_reason(reasons),
            options=_by_option(reasons),
            adds={},
            prompts={},
        )
    )
    return steps


def _by_reason(counts: Mapping[Why, int]) -> dict[str, int]:
    total = Counter[str]()
    for (reason, _), clips in counts.items():
        total[reason] += clips
    return dict(sorted(total.items()))


def _by_option(counts: Mapping[Why, int]) -> dict[str, dict[str, int]]:
    """Of those that an option asked for."""
    options: dict[str, dict[str, int]] = {}
    for (reason, option), clips in sorted((why, clips) for why, clips in counts.items() if why[1]):
        options.setdefault(reason, {})[option or ""] = clips
    return options


def _distributions(metadata: pq.ParquetDataset, columns: Mapping[str, object]) -> dict[str, Histogram]:
    """Histograms of the columns that hold real numbers and differ from clip to clip."""
    made: dict[str, Histogram] = {}
    for name, kind in columns.items():
        if kind != "float64" or name in _NOT_DRAWN:
            continue
        values = metadata.read(columns=[name]).column(name).drop_null().to_numpy()
        values = values[np.isfinite(values)]
        if len(values) and _differ(values.min(), values.max()):
            counts, edges = np.histogram(values, bins=_BINS)
            made[name] = {"edges": [float(f"{edge:.6g}") for edge in edges], "counts": counts.tolist()}
    return made


def _differ(least: float, most: float) -> bool:
    """By enough for the bins to have edges of their own in six digits."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(most - least) and most - least > 1e-4 * max(abs(least), abs(most)))


def _file(out: Path, name: str) -> FileRecord:
    path = out / name
    with path.open("rb") as file:
        return {"path": name, "bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
