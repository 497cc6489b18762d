"""The rows to publish: in any order, by way of files; told apart by all that shows of them and by nothing else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from shotscribe.builder.contract.clip import PROBE_COLUMNS, SOURCE_COLUMNS
from shotscribe.builder.output import rows as module
from shotscribe.builder.output.rows import OrderedRows, PublishedRows, published_rows
from shotscribe.builder.store.arrow import arrow_schema, write_scratch

COLUMNS = {**SOURCE_COLUMNS, **PROBE_COLUMNS, "note": ["string"]}
SHOWN = {name: kind for name, kind in COLUMNS.items() if name not in ("media", "media_version", "media_stat")}


def row(at: int, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS) | {
        "clip_id": f"clip-{at}",
        "media": f"/corpus/{at}.mp4",
        "media_version": "4000000-ends-ab",
        "media_stat": "4000000-17",
        "start": 1.0,
        "end": 3.0,
        "duration": 2.0,
        "frames": 48,
        "fps_num": 24,
        "fps_den": 1,
        "width": 640,
        "height": 360,
        "has_audio": True,
        "variable_frame_rate": False,
        "interlaced": False,
        "media_duration": 8.0,
        "whole": False,
        "codec": "h264",
        "note": [f"{at}", "a" * (at % 7)],
        **values,
    }


def stock(folder: Path, *pieces: list[dict[str, Any]], **options: Any) -> PublishedRows:
    tables = []
    for at, rows in enumerate(pieces):
        path = folder / f"{at}.arrow"
        write_scratch(path, pa.Table.from_pylist(rows, schema=arrow_schema(COLUMNS)))
        tables.append(path)
    return published_rows(tables, **{"columns": SHOWN, "caption": None, "embed": True, "left_out": (), **options})


@pytest.mark.parametrize(("bucket", "group"), [(4, 1), (4, 10**9), (7, 2000), (16_384, 128_000_000)])
def test_any_stretch_of_any_order_is_had_again(bucket, group, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUCKET_ROWS", bucket)
    monkeypatch.setattr(module, "_GROUP_BYTES", group)
    monkeypatch.setattr(module, "_BATCH_ROWS", 3)
    pieces = [[row(at) for at in range(first, first + count)] for first, count in ((0, 13), (13, 0), (13, 1), (14, 26))]
    rows = stock(tmp_path, *pieces, left_out={"clip-3", "clip-30"})
    names = [f"clip-{at}" for at in range(40) if at not in (3, 30)]
    assert len(rows) == len(names) == 38
    assert rows.pieces.tolist() == [0] * 12 + [2] + [3] * 25
    order = np.array(random.Random(bucket).sample(range(38), 38))
    with OrderedRows(rows, order, tmp_path / "scratch") as ordered:
        for first, last in [(0, 38), (0, 1), (5, 5), (3, 17), (37, 38)]:
            read = [one for table in ordered.tables(first, last) for one in table.to_pylist()]
            assert [one["clip_id"] for one in read] == [names[at] for at in order[first:last]]
            assert all(one["note"] == row(int(one["clip_id"][5:]))["note"] for one in read)
    assert not (tmp_path / "scratch").exists()


def digest(folder: Path, *, values: dict[str, Any] | None = None, **options: Any) -> int:
    return int(stock(folder, [row(0, **(values or {}))], **options).digests[0])


def test_a_row_is_another_where_anything_of_it_that_shows_is(tmp_path):
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    assert digest(tmp_path, values={"media": "/elsewhere/0.mp4", "media_stat": "4000000-18"}) == before
    changes: list[dict[str, Any]] = [
        {"clip_id": "clip-1"},
        {"media_version": "4000000-ends-ac"},
        {"start": 1.5},
        {"frames": 47},
        {"note": ["0"]},
        {"source_caption": ""},
        {"has_audio": None},
        {"whole": True},
    ]
    assert len({before, *(digest(tmp_path, values=change) for change in changes)}) == len(changes) + 1
    fewer = {name: kind for name, kind in SHOWN.items() if name != "license"}
    forms = [{"caption": "license"}, {"embed": False}, {"columns": fewer}, {"columns": dict(reversed(SHOWN.items()))}]
    assert len({before, *(digest(tmp_path, **form) for form in forms)}) == len(forms) + 1


def test_about_how_large_a_clip_will_be(tmp_path):
    def size(**values: Any) -> float:
        return float(stock(tmp_path, [row(0, **values)]).sizes[0])

    def about(size: float) -> Any:
        return pytest.approx(text + size, abs=100)

    text = float(stock(tmp_path, [row(0)], embed=False).sizes[0])
    pixels, sound = 48 * 640 * 360, 32_000
    assert 2000 < text < 5000
    assert size(whole=True) == about(4_000_000)
    assert size() == about(0.3 * pixels / 8 + sound), "no more bits than a picture has"
    assert size(width=1920, height=1080) == about(1.75 * 1_000_000), "a quarter of its file, at 1.75"
    assert size(media_version="ab") == about(0.17 * pixels / 8 + sound), "of an address"
    assert size(media_version="ab", has_audio=None) == about(0.17 * pixels / 8)
