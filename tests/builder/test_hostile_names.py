"""Names that command a terminal or hide what they are: shown escaped, published without."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from shotscribe.builder.build import build
from shotscribe.builder.progress import Progress, closing_table

NAMES = ("a\x1b[31mred.mp4", "a\u202ered.mp4", "ared.mp4", "b\nad\x1b]0;title\x07.mp4")
HOSTILE = ("\x1b", "\x07", "\u202e", "\x9b")


def test_files_with_hostile_names(
    tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> None:
    """Three that look alike are three clips, and one that is no video is a reject."""
    videos = tmp_path / "videos"
    data = encode(videos / "x.mp4", moving(20)).read_bytes()
    (videos / "x.mp4").unlink()
    for name in NAMES:
        (videos / name).write_bytes(data if name != NAMES[-1] else b"no video")
    recipe, out, shown = tmp_path / "r.yaml", tmp_path / "out", io.StringIO()
    recipe.write_text(
        'name: hostile\nversion: "1"\nsources: [{use: folder, path: videos, license: cc0-1.0}]\n'
        "steps: [{use: signals}]\npublish: {caption: caption}\nrun: {workers: 1, max_reject_rate: 1}\n"
    )
    record = build(recipe, out=out, progress=Progress(Console(file=shown))).record
    closing_table(record, console=Console(file=shown))
    rows = pq.read_table(out / "metadata").to_pylist()
    assert [row["source_id"] for row in rows] == ["ared.mp4"] * 3
    assert len({row["clip_id"] for row in rows}) == 3
    assert [row["source_id"] for row in pq.read_table(out / "rejects.parquet").to_pylist()] == ["b ad.mp4"]
    pages = [(out / name).read_text("utf-8") for name in ("README.md", "report.html", "build.json")]
    assert not [char for page in (*pages, shown.getvalue(), json.dumps(rows)) for char in HOSTILE if char in page]
    assert record["texts_cleaned"] == 3
    assert "3 texts" in shown.getvalue()


def test_an_error_that_names_a_hostile_path(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = command(tmp_path / "\x1b[31mno\u202e.yaml")
    assert done.returncode == 2
    assert "\\x1b[31mno\\u202e.yaml" in done.stderr
    assert not any(char in done.stderr for char in HOSTILE)
