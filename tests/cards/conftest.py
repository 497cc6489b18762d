"""Build records to draw: one as a real build writes it, and small ways to bend it."""

from __future__ import annotations

from typing import Any

import pytest


def _step(
    name: str,
    rows_in: int,
    *,
    key: str,
    adds: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **rejected: int,
) -> dict[str, Any]:
    out = rows_in - sum(rejected.values())
    return {
        "name": name,
        "use": name,
        "key": key * 64,
        "rows_in": rows_in,
        "rows_out": out,
        "rejected": rejected,
        "options": options or {},
        "adds": adds or {},
        "prompts": {},
    }


@pytest.fixture
def record() -> dict[str, Any]:
    """1,250 clips offered, 934 published, captioned and embedded."""
    steps = [
        _step("probe", 1247, key="a", adds={"duration": "float64", "fps": "float64"}, not_a_video=9, unreadable=3),
        _step(
            "duration",
            1235,
            key="b",
            options={"below_min": {"min_s": 88}, "above_max": {"max_s": 21}},
            below_min=88,
            above_max=21,
        ),
        _step(
            "luma",
            1126,
            key="c",
            adds={"luma_mean": "float64"},
            options={"above_max": {"max_black": 20, "max_over": 13}},
            above_max=33,
            decode_error=1,
        ),
        _step("motion", 1092, key="d", adds={"motion": "float64"}, options={"below_min": {"min": 102}}, below_min=102),
        _step("keyframes", 990, key="e", adds={"keyframes": ["float64"]}),
        _step("semantic_dedup", 990, key="f", options={"duplicate": {"threshold": 55}}, duplicate=55),
        _step("signals", 935, key="0", adds={"caption": "string"}),
        _step("publish", 935, key="1", decode_error=1),
    ]
    return {
        "format": 2,
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
            {
                "use": "folder",
                "license": "cc-by-4.0",
                "clips": 1100,
                "rejected": {"bad_row": 3},
                "options": {},
                "remarks": [],
            },
            {"use": "pexels", "license": "cc0-1.0", "clips": 147, "rejected": {}, "options": {}, "remarks": []},
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
        "captioned": 934,
        "captions": [],
        "verified": {"clips": 0, "captions": 0, "other_pixels": 0},
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


INFO = {
    "status": "string",
    "model": "string",
    "revision": "string",
    "prompt": "string",
    "frames": ["string"],
    "seed": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "tries": "int64",
}


def _info(status: str = "ok", *, frames: int = 2) -> dict[str, Any]:
    return {
        "status": status,
        "model": "acme/sees-7b",
        "revision": "0123abc",
        "prompt": "5" * 32,
        "frames": [f"{at:x}" * 32 for at in range(frames)],
        "seed": 0,
        "input_tokens": 700,
        "output_tokens": 30,
        "tries": 1,
    }


def _made(*columns: str, info: str, tokens: tuple[int, int], **statuses: int) -> dict[str, Any]:
    return {
        "columns": list(columns),
        "info": info,
        "model": "acme/sees-7b",
        "revision": "0123abc",
        "statuses": statuses,
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
    }


@pytest.fixture
def captioned(record: dict[str, Any]) -> dict[str, Any]:
    """The record, captioned by a model: a sentence, windows with times, fields, tags, a JSON text, and a summary."""
    at = [step["name"] for step in record["steps"]].index("signals")
    steps = {
        "short": ({"short_caption": "string", "short_caption_info": INFO}, {"short": "Say it in one sentence."}),
        "sliding": (
            {"diff_captions": [{"start": "float64", "end": "float64", "caption": "string", "info": INFO}]},
            {
                "sliding": "You compare two frames.\n---\n{frames}\nWhat changed?",
                "sliding_first": "Describe the frame.",
            },
        ),
        "structural": (
            {
                "structural_caption": {
                    "subjects": [{"type": "string", "colors": ["string"]}],
                    "shot_type": "string",
                    "is_day": "bool",
                },
                "structural_caption_info": INFO,
            },
            {"structural": "Fill in the fields.\n\n    indented `code`\n```\nnot a fence\n```"},
        ),
        "tags": ({"objects": ["string"], "actions": ["string"], "tags_info": INFO}, {"tags": "Name what is there."}),
        "raw": ({"raw": "json", "raw_info": INFO}, {}),
        "summarize": ({"caption": "string", "caption_info": INFO}, {"short": "Say it in one sentence."}),
    }
    record["steps"][at : at + 1] = [
        {**_step(name, 935, key="2", adds=adds), "prompts": prompts} for name, (adds, prompts) in steps.items()
    ]
    for adds, _ in steps.values():
        record["columns"] |= adds
    record["captions"] = [
        _made("caption", info="caption_info", tokens=(1_310_000, 74_210), ok=930, truncated=4),
        _made("short_caption", info="short_caption_info", tokens=(655_000, 28_020), ok=934),
        _made("diff_captions", info="diff_captions", tokens=(4_120_000, 310_400), ok=5_101, repeated=2, truncated=11),
        _made("structural_caption", info="structural_caption_info", tokens=(0, 0), ok=934),
        _made("objects", "actions", info="tags_info", tokens=(90_000, 12_000), ok=934),
        _made("raw", info="raw_info", tokens=(0, 0), off_schema=934),
    ]
    record["verified"] = {"clips": 12, "captions": 97, "other_pixels": 0}
    windows = [
        {"start": 0.0, "end": 0.0, "caption": "A tram stands at the stop.", "info": _info(frames=1)},
        {"start": 0.0, "end": 2.0, "caption": "The tram sets off.", "info": _info()},
        {"start": 2.0, "end": 4.0, "caption": "The camera pans left after it", "info": _info("truncated")},
    ]
    first = record["samples"][0]
    first["row"] = {
        "clip_id": first["clip_id"],
        "duration": 4.2,
        "keyframes": [0.0, 1.0, 2.0, 3.0, 4.0],
        "caption": first["caption"],
        "caption_info": _info("truncated", frames=0),
        "short_caption": "A tram crosses a square.",
        "short_caption_info": _info(frames=6),
        "diff_captions": windows,
        "structural_caption": {
            "subjects": [{"type": "vehicle", "colors": ["red", "white"]}, {"type": "human", "colors": []}],
            "shot_type": "long_shot",
            "is_day": True,
        },
        "structural_caption_info": _info(),
        "objects": ["tram", "square"],
        "actions": [],
        "tags_info": _info(frames=0),
        "raw": '{"mood": "calm"}',
        "raw_info": _info(),
    }
    return record
