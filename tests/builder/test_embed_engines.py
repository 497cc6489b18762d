"""Models that make vectors, in a run: in processes of their own, in turns or side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

RECIPE = """\
name: embedded
version: "1"
sources: [{{use: folder, path: clips, license: cc0-1.0}}]
engines:
  clip: {{use: clip, model: ./clip, batch: 4{share}}}
  bert: {{use: transformers, model: ./bert, batch: 4{share}}}
steps:
  - {{use: keyframes, interval_s: 0.2, below: 0.999, embed: {{engine: clip}}}}
  - {{use: signals}}
  - {{use: semantic_dedup, column: caption, threshold: 0.999, embed: {{engine: bert}}}}
publish: {{caption: caption}}
run: {{workers: 1}}
"""
CLIPS = 8
Built = Callable[..., tuple[list[str], list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> Path:
    """Clips, half of which have the length of another, and tiny models."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "clips").mkdir()
    for number in range(CLIPS):
        encode(folder / "clips" / f"{number}.mp4", moving(10 + 15 * (number // 2), seed=number))
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    vision = transformers.CLIPVisionConfig(**small, image_size=32, patch_size=8, projection_dim=24)
    transformers.CLIPVisionModelWithProjection(vision).save_pretrained(folder / "clip")
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder / "clip")
    (folder / "bert").mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(100)), "a", "clip", "of", "seconds", "."]
    (folder / "bert" / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "bert" / "vocab.txt"), model_max_length=64).save_pretrained(folder / "bert")
    config = transformers.BertConfig(vocab_size=len(words), **small, initializer_range=0.5)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    return folder


@pytest.fixture
def built(folder: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Built:
    """What a run says, a line each, and the rows that it publishes. It is told of a GPU, and torch finds none."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    def build(*, share: float | None = None) -> tuple[list[str], list[dict[str, Any]]]:
        recipe = folder / f"{share}.yaml"
        recipe.write_text(RECIPE.format(share="" if share is None else f", gpu_memory_utilization: {share}"))
        done = command(recipe, "--out", tmp_path / f"out-{share}")
        assert done.returncode == 0, done.stderr
        table = pq.read_table(tmp_path / f"out-{share}" / "metadata")
        return (done.stdout + done.stderr).splitlines(), table.to_pylist()

    return build


def place(lines: list[str], begin: str, *, has: str = "") -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(begin) and has in line)


def test_engines_take_turns_on_a_gpu_or_share_it_by_stated_parts(built: Built) -> None:
    alone, in_turns = built()
    together, side_by_side = built(share=0.4)
    assert len(in_turns) == CLIPS // 2  # the others say the same as one before them
    assert [row["clip_id"] for row in side_by_side] == [row["clip_id"] for row in in_turns]
    assert [row["keyframes"] for row in side_by_side] == [row["keyframes"] for row in in_turns]
    left = [place(lines, "engine clip: ", has=" vectors") for lines in (alone, together)]
    came = [place(lines, "engine bert: loading on GPU 0") for lines in (alone, together)]
    assert left[0] < came[0]
    assert left[1] > came[1]
    for lines in (alone, together):
        place(lines, "engine clip: loading on GPU 0")
        place(lines, "engine bert: ", has=f" {CLIPS} vectors")
