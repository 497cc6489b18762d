"""A dozen clips to show: their rows, and a sheet of frames of each."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...cards.record import Sample as SampleRecord
from ...cards.text import cut
from ..contract.clip import Row
from ..contract.errors import ClipError, Rejection
from ..contract.executor import Executor
from ..contract.frames import Sampling
from ..contract.limits import Decode
from ..contract.text import with_texts
from ..recipe.plan import Plan
from ..recipe.recipe import Recipe
from ..run.download import Downloads
from ..run.executors.work import open_clip
from ..run.state import Outcome
from ..store.arrow import read_table
from ..store.files import write_bytes
from .publish import published_row

_SAMPLES = 12
_SHEET = Sampling(fractions=(0.05, 0.35, 0.65, 0.95), long_side_px=320)


def make_samples(
    outcome: Outcome,
    *,
    recipe: Recipe,
    plan: Plan,
    failed: Mapping[str, Rejection],
    out: Path,
    downloads: Downloads,
    executor: Executor,
) -> list[SampleRecord]:
    """Up to a dozen clips from all over the dataset, each with a sheet of frames in `assets/`.

    None where the media may not be published: a picture of a clip is a part of it. Those of an earlier build are
    removed.
    """
    assets = out / "assets"
    assets.mkdir(exist_ok=True)
    chosen = spread(outcome, failed) if recipe.publish.media == "embed" else []
    downloads.fetch([row["media"] for row in chosen])
    downloads.finish()
    tasks = [
        executor.submit(
            sheet, row, limits=recipe.decode, media_folder=downloads.folder, timeout_s=recipe.decode.timeout_s
        )
        for row in chosen
    ]
    columns = [name for name in plan.columns if name in plan.published]
    samples: list[SampleRecord] = []
    for row, task in zip(chosen, tasks, strict=True):
        try:
            picture = task.result()
        except ClipError:  # it was measured and cut without fault: a dataset is not spoilt by a picture less
            continue
        name = f"assets/{row['clip_id']}.jpg"
        write_bytes(out / name, picture)
        caption = row[recipe.publish.caption] if recipe.publish.caption else None
        samples.append(
            SampleRecord(
                clip_id=row["clip_id"],
                caption=caption and cut(caption),
                duration=row["duration"],
                thumbnail=name,
                row={name: with_texts(value, cut) for name, value in published_row(row, columns).items()},
            )
        )
    shown = {Path(sample["thumbnail"]).name for sample in samples}
    for stale in assets.glob("*.jpg"):
        if stale.name not in shown:
            stale.unlink()
    return samples


def spread(outcome: Outcome, failed: Mapping[str, Rejection]) -> list[Row]:
    """Rows at equal distances over all tables."""
    total = outcome.rows
    wanted = sorted({round((at + 0.5) * total / _SAMPLES - 0.5) for at in range(_SAMPLES)} if total else set())
    rows: list[Row] = []
    first = 0
    for path in outcome.tables:
        table = read_table(path)
        inside = [at - first for at in wanted if first <= at < first + table.num_rows]
        rows.extend(table.take(inside).to_pylist() if inside else [])
        first += table.num_rows
    return [row for row in rows if row["clip_id"] not in failed]


def sheet(row: Row, *, limits: Decode, media_folder: Path) -> bytes:
    """A JPEG of four frames of the clip, two by two: of its own shape. Runs in a worker process."""
    from PIL import Image

    frames = open_clip(row, [], limits=limits, media_folder=media_folder).frames(_SHEET)
    images = [frames.images[min(at, len(frames.images) - 1)] for at in range(4)]
    data = io.BytesIO()
    rows = [np.concatenate(images[:2], axis=1), np.concatenate(images[2:], axis=1)]
    Image.fromarray(np.concatenate(rows, axis=0)).save(data, "JPEG", quality=85)
    return data.getvalue()
