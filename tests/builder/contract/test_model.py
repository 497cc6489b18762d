from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from shotscribe.builder.contract.model import ModelRef

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def local(folder: Path) -> ModelRef:
    return ModelRef(model=str(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "tiny"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "1_Pooling" / "config.json").write_text('{"mean": true}')
    return folder


def test_a_model_of_the_hub_is_its_id_and_commit() -> None:
    ref = ModelRef(model="google-bert/bert-base-uncased", revision=COMMIT)
    assert not ref.is_local
    assert ref.identity() == {"model": "google-bert/bert-base-uncased", "revision": COMMIT}
    assert ref.load_arguments() == {"revision": COMMIT, "trust_remote_code": False, "local_files_only": False}


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:7], COMMIT.upper(), COMMIT + "\n"])
def test_a_model_of_the_hub_is_pinned_by_a_whole_commit(revision: str | None) -> None:
    with pytest.raises(ValidationError, match=r"40 hex digits.*huggingface.co/a/b/commits"):
        ModelRef(model="a/b", revision=revision)


@pytest.mark.parametrize("model", ["", "a/b/c", "https://huggingface.co/a/b", "a b", "-a/b", "a/../b", "a/b\n"])
def test_neither_id_nor_folder(model: str) -> None:
    with pytest.raises(ValidationError, match="neither a model id"):
        ModelRef(model=model, revision=COMMIT)


def test_a_folder_is_found_relative_to_the_recipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = {"base": folder.parent}
    monkeypatch.setenv("MODELS", str(folder.parent))
    for model in ("./tiny", "../models/tiny", str(folder), "$MODELS/tiny"):
        ref = ModelRef.model_validate({"model": model}, context=context)
        assert (ref.model, ref.is_local) == (str(folder), True)
    assert ref.load_arguments() == {"revision": None, "trust_remote_code": False, "local_files_only": True}
    assert pickle.loads(pickle.dumps(ref)) == ref  # noqa: S301


def test_a_folder_that_is_not_there_or_has_a_revision_is_a_mistake(folder: Path) -> None:
    with pytest.raises(ValidationError, match=r"\./small: no such folder"):
        ModelRef.model_validate({"model": "./small"}, context={"base": folder.parent})
    with pytest.raises(ValidationError, match="a local folder has none"):
        ModelRef(model=str(folder), revision=COMMIT)


def test_a_folder_is_identified_by_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    before = local(folder).identity()
    assert str(tmp_path) not in str(before)
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / ".cache").mkdir()
    (moved / ".cache" / "download.lock").write_text("")
    assert local(moved).identity() == before
    (moved / "1_Pooling" / "config.json").write_text('{"mean": null}')  # as long as before
    assert local(moved).identity() != before
    (moved / "1_Pooling" / "config.json").rename(moved / "1_Pooling" / "other.json")
    (moved / "1_Pooling" / "other.json").write_text('{"mean": true}')
    assert local(moved).identity() != before


def test_the_links_of_a_downloaded_snapshot_are_followed(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"
    (snapshot / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "1_Pooling/config.json"):
        (snapshot / name).symlink_to(folder / name)
    assert local(snapshot).identity() == local(folder).identity()
