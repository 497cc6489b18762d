"""Build records to draw: one as a real build writes it, and small ways to bend it."""

from __future__ import annotations

from typing import Any

import pytest


def _step(name: str, rows_in: int, *, key: str, adds: dict[str, Any] | None = None, **rejected: int) -> dict[str, Any]:
    out = rows_in - sum(rejected.values())
    return {
        "name": name,
        "use": name,
        "key": key * 64,
        "rows_in": rows_in,
        "rows_out": out,
        "rejected": rejected,
        "adds": adds or {},
    }


@pytest.fixture
def record() -> dict[str, Any]:
    """1,250 clips offered, 934 published, captioned and embedded."""
    steps = [
        _step("probe", 1247, key="a", adds={"duration": "float64", "fps": "float64"}, not_a_video=9, unreadable=3),
        _step("duration", 1235, key="b", below_min=88, above_max=21),
        _step("luma", 1126, key="c", adds={"luma_mean": "float64"}, below_min=34),
        _step("motion", 1092, key="d", adds={"motion": "float64"}, below_min=102),
        _step("keyframes", 990, key="e", adds={"keyframes": ["float64"]}),
        _step("semantic_dedup", 990, key="f", duplicate=55),
        _step("signals", 935, key="0", adds={"caption": "string"}),
        _step("publish", 935, key="1", decode_error=1),
    ]
    return {
        "format": 1,
        "shotscribe": "0.1.0",
        "name": "street-life",
        "version": "2026.11.0",
        "description": "Everyday scenes from city streets.",
        "recipe": {
            "name": "street-life",
            "version": "2026.11.0",
            "sources": [{"use": "folder", "license": "cc-by-4.0"}],
            "steps": [
                {"use": "duration", "min_s": 2.0, "max_s": 120.0},
                {"use": "luma", "min": 16.0},
                {"use": "motion", "min": 0.4},
                {"use": "keyframes", "interval_s": 2.0, "below": 0.93, "embed": {"use": "layout"}},
                {"use": "semantic_dedup", "threshold": 0.95},
                {"use": "signals"},
            ],
            "publish": {"caption": "caption", "media": "embed", "hub": {"repo": "me/street-life", "private": True}},
        },
        "sources": [
            {"use": "folder", "license": "cc-by-4.0", "clips": 1100, "rejected": {"bad_row": 3}},
            {"use": "pexels", "license": "cc0-1.0", "clips": 147, "rejected": {}},
        ],
        "steps": steps,
        "columns": {
            "clip_id": "string",
            "source": "string",
            "license": "string",
            "start": "float64",
            "end": "float64",
            "duration": "float64",
            "luma_mean": "float64",
            "motion": "float64",
            "keyframes": ["float64"],
            "caption": "string",
        },
        "caption": "caption",
        "media": "embed",
        "rows": 934,
        "seconds": 9153.4,
        "bytes": 2_345_678_901,
        "licenses": {"cc-by-4.0": 810, "cc0-1.0": 124},
        "sources_kept": {"folder": 810, "pexels": 124},
        "distributions": {
            "duration": {"edges": [2.0, 6.0, 10.0, 14.0, 18.0, 22.0, 26.0], "counts": [212, 391, 180, 90, 41, 20]},
            "luma_mean": {"edges": [16.0, 60.0, 104.0, 148.0, 192.0, 236.0], "counts": [55, 301, 402, 151, 25]},
            "motion": {"edges": [0.4, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0], "counts": [502, 230, 101, 60, 30, 11]},
            "fps": {"edges": [23.5, 24.5, 25.5, 29.5, 30.5, 59.5, 60.5], "counts": [100, 420, 0, 390, 0, 24]},
        },
        "samples": [
            {
                "clip_id": f"folder-0{index}ab-0",
                "caption": caption,
                "duration": 4.2 + index,
                "thumbnail": f"assets/folder-0{index}ab-0.jpg",
            }
            for index, caption in enumerate(
                (
                    "A tram crosses a square; the camera pans left.",
                    "Two people wait at a crossing, then walk over it.",
                    "A market stall under a red awning, seen from across the street.",
                    "A cyclist rides past a row of parked cars.",
                )
            )
        ],
        "shards": [
            {"path": f"data/train-0000{index}-of-00003.tar", "rows": rows, "bytes": 800_000_000, "sha256": "9" * 64}
            for index, rows in enumerate((320, 320, 294))
        ],
        "files": [{"path": "metadata/train-00000-of-00001.parquet", "bytes": 123_456, "sha256": "8" * 64}],
        "versions": {"python": "3.11.7", "av": "18.1.0", "datasets": "5.2.0"},
    }
