"""A published folder as older and newer releases of `datasets` read it: each in an environment of its own.

Not among the tests of `make test`, as the environments come from the network: `make readers`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
from shotscribe.builder.build import build
from shotscribe.builder.progress import Progress
from shotscribe.cards.card import card

HERE = Path(__file__).parent
RELEASES = sorted(path.stem for path in HERE.glob("*.txt"))
RECIPE = """\
name: read
version: "1"
sources: [{use: table, path: t.csv, license: cc0-1.0}]
steps: [{use: colors}, {use: keyframes, interval_s: 0.5, below: 0.93, embed: {use: layout}}, {use: signals}]
publish: {caption: caption, shard_size: 30KB, order: source}
"""
INFO = {"status": "string", "model": "string", "revision": "string", "frames": ["string"], "tries": "int64"}
NESTED: dict[str, Any] = {
    "short_caption_info": INFO,
    "diff_captions": [{"start": "float64", "end": "float64", "caption": "string", "info": INFO}],
    "structural_caption": {"subjects": [{"type": "string", "colors": ["string"]}], "is_day": "bool"},
    "raw": "json",
    "nothing": "string",
}
"""Columns as captioners of a model add them, and one that no clip has a value of."""


def nested(shard: int) -> dict[str, Any]:
    """Their values in a tar: none at all in the first one."""
    if shard == 0:
        return dict.fromkeys(NESTED)
    info = {"status": "ok", "model": "acme/sees", "revision": None, "frames": ["0a", "0b"], "tries": 1}
    return {
        "short_caption_info": info,
        "diff_captions": [{"start": 0.0, "end": 0.123456789012345, "caption": None, "info": {**info, "frames": []}}],
        "structural_caption": {"subjects": [{"type": "human", "colors": []}], "is_day": None},
        "raw": '{"mood": "calm"}',
        "nothing": None,
    }


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> Path:
    """A dataset as the command builds it, and in its rows what captioners of a model would have added."""
    home = tmp_path_factory.mktemp("readers")
    for seed in range(8):
        encode(home / f"{seed}.mp4", moving(33, seed=seed), fps=15)
    rows = [f"{seed}.mp4,{'' if seed < 4 else 'a caption of the corpus'}" for seed in range(8)]
    (home / "t.csv").write_text("\n".join(["path,caption", *rows, "gone.mp4,"]) + "\n")
    (home / "read.yaml").write_text(RECIPE)
    out = build(home / "read.yaml", out=home / "out", progress=Progress()).out
    record = json.loads((out / "build.json").read_text("utf-8"))
    for shard, path in enumerate(sorted((out / "data").iterdir())):
        samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
        path.unlink()
        with webdataset.TarWriter(str(path), mtime=0) as tar:
            for sample in samples:
                row = {**json.loads(sample["json"]), **nested(shard)}
                members = {name: sample[name] for name in ("__key__", "mp4", "txt")}
                tar.write({**members, "json": json.dumps(row).encode()})
    (out / "README.md").write_text(card({**record, "columns": {**record["columns"], **NESTED}}), "utf-8")
    return out


def packed(path: Path) -> list[dict[str, Any]]:
    """What is in a tar, read with nothing but the standard library, as `read.py` prints it."""
    rows: dict[str, dict[str, Any]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, kind = member.name.partition(".")
            file = tar.extractfile(member)
            assert file is not None
            data = file.read()
            value = len(data) if kind == "mp4" else json.loads(data) if kind == "json" else data.decode()
            rows.setdefault(key, {"__key__": key, "__url__": str(path)})[kind] = value
    return list(rows.values())


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A release of datasets and the Python that has it, in an environment beside this one's libraries."""
    home = Path(sys.prefix) / "readers" / request.param
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    wanted = HERE / f"{request.param}.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-U", "-r", wanted], check=True, timeout=600)
    return request.param, python


@pytest.mark.readers
@pytest.mark.timeout(900)
def test_every_row_is_read_as_it_was_packed(folder: Path, release: tuple[str, Path]) -> None:
    name, python = release
    command = [python, HERE / "read.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, env={"HF_HUB_OFFLINE": "1"}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads(done.stdout.splitlines()[-1])
    assert name == "newest" or read["version"].startswith(f"{name}.")
    shards = [packed(path) for path in sorted((folder / "data").iterdir())]
    assert len(shards) > 2
    table = [row for path in sorted((folder / "metadata").iterdir()) for row in pq.read_table(path).to_pylist()]
    for way in read["ways"].values():
        assert way["clips"] == [row for shard in shards for row in shard]
        assert way["some"] == shards[1]
        assert way["table"] == table
        assert way["rejects"] == pq.read_table(folder / "rejects.parquet").to_pylist()
