"""The card's pictures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from shotscribe.cards.plots import distributions_png, funnel_png

KEPT = (15, 139, 141)


def _pixels(png: bytes) -> Any:
    return (imread(io.BytesIO(png), format="png")[..., :3] * 255).round().astype(int)


def _share(png: bytes, colour: tuple[int, int, int]) -> float:
    return float((np.abs(_pixels(png) - colour).sum(axis=2) < 12).mean())


def test_the_same_record_gives_the_same_bytes_in_another_process(record: Any, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps(record))
    code = (
        "import sys, json, hashlib; from shotscribe.cards.plots import funnel_png, distributions_png\n"
        f"record = json.load(open({str(tmp_path / 'record.json')!r}))\n"
        "sys.stdout.buffer.write(funnel_png(record) + distributions_png(record))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert there == funnel_png(record) + distributions_png(record)


def test_a_users_own_matplotlib_settings_change_nothing(record: Any) -> None:
    before = funnel_png(record)
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "savefig.dpi": 20}):
        assert funnel_png(record) == before


def test_fewer_clips_left_means_less_ink(record: Any) -> None:
    full = _share(funnel_png(record), KEPT)
    for step in record["steps"]:
        step["rows_in"], step["rows_out"] = step["rows_in"] // 4, step["rows_out"] // 4
    assert _share(funnel_png(record), KEPT) < 0.6 * full


def test_every_column_gets_its_histogram(record: Any) -> None:
    four = _pixels(distributions_png(record))
    record["distributions"].popitem()
    three = _pixels(distributions_png(record))
    assert four.shape[0] > three.shape[0]  # a second row of pictures


@pytest.mark.parametrize("name", ["$\\frac{$", "名前", "a" * 300, "<b>&", "{{ x }}"])
def test_any_name_can_be_drawn(record: Any, name: str) -> None:
    record["steps"][0]["name"] = name
    record["steps"][0]["rejected"] = {name: 12}
    record["distributions"] = {name: {"edges": [0.0, 1.0], "counts": [1]}}
    assert _share(funnel_png(record), KEPT) > 0.1
    assert _share(distributions_png(record), KEPT) > 0.1


def test_an_empty_record_can_be_drawn(record: Any) -> None:
    record |= {"rows": 0, "steps": [], "distributions": {}}
    record["sources"] = [{"use": "folder", "license": None, "clips": 0, "rejected": {}, "options": {}, "remarks": []}]
    assert funnel_png(record).startswith(b"\x89PNG")
    assert distributions_png(record).startswith(b"\x89PNG")
