from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from shotscribe.builder import corpora
from shotscribe.builder.contract.clip import SOURCE_COLUMNS


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "sub/c.mp4", "sub/d.mp4", "z.mp4"):
        (folder / name).write_bytes(b"x")
    (folder / "a.txt").write_text("A caption.")
    (folder / "y.mp4").symlink_to("/")
    return folder


def build(name: str, cache: Path, **options: Any) -> Any:
    return getattr(corpora, name)(cache_dir=str(cache), hash="1", **options)


def test_every_source_has_its_builder() -> None:
    found = {"Ego4d", "Folder", "Panda70m", "Pexels", "Table"}
    assert found <= set(dir(corpora))
    for name in found:
        builder = getattr(corpora, name)
        assert builder is getattr(corpora, name)
        assert builder.__doc__ == builder.BUILDER_CONFIG_CLASS.source_class.__doc__
    with pytest.raises(AttributeError, match=r"no corpus 'Youtube'; there are .*Folder"):
        corpora.Youtube  # noqa: B018


def test_prepared_and_streamed(videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (videos / "pipe.mp4").symlink_to("nowhere.mp4")  # a clip when listed, gone when looked at
    (videos / "out.mp4").symlink_to("/etc/hosts")
    builder = build("Folder", tmp_path / "cache", path=str(videos), license="cc0-1.0")
    with caplog.at_level(logging.WARNING):
        builder.download_and_prepare()
    assert "folder: 2 rows of the corpus are no clips and left out: missing_file 1, refused 1" in caplog.text
    rows = builder.as_dataset(split="train").to_list()
    assert [row["source_id"] for row in rows] == ["a.mp4", "b.mp4", "sub/c.mp4", "sub/d.mp4", "z.mp4"]
    assert list(rows[0]) == list(SOURCE_COLUMNS)
    assert rows[0]["source_caption"] == "A caption."
    assert rows[0]["license"] == "cc0-1.0"
    assert list(builder.as_streaming_dataset(split="train")) == rows


def test_processes_make_the_same_rows(videos: Path, tmp_path: Path) -> None:
    alone = build("Folder", tmp_path / "one", path=str(videos))
    alone.download_and_prepare()
    shared = build("Folder", tmp_path / "three", path=str(videos))
    shared.download_and_prepare(num_proc=3)
    assert shared.as_dataset(split="train").to_list() == alone.as_dataset(split="train").to_list()


def test_another_process_finds_the_class_by_its_name(videos: Path, tmp_path: Path) -> None:
    """`num_proc` and data loaders send the builder to fresh processes, where nothing has asked for the class yet."""
    builder = build("Folder", tmp_path / "cache", path=str(videos))
    (tmp_path / "builder.pickle").write_bytes(pickle.dumps(builder))
    script = "import pickle, sys; print(pickle.load(sys.stdin.buffer).config.source().path)"
    with (tmp_path / "builder.pickle").open("rb") as file:
        done = subprocess.run([sys.executable, "-c", script], stdin=file, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(videos)


def test_columns_of_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "t.csv").write_text("path,text,start,end,aes,cmotion\na.mp4,one,0,2,5.5,static\na.mp4,two,2,4,,\n")
    builder = build("Table", tmp_path / "cache", path=str(tmp_path / "t.csv"))
    builder.download_and_prepare()
    rows = builder.as_dataset(split="train").to_list()
    assert [(row["start"], row["aes"], row["cmotion"]) for row in rows] == [(0.0, 5.5, "static"), (2.0, None, None)]
    assert builder.info.features["aes"].dtype == "float64"


def test_lists_among_the_columns(tmp_path: Path) -> None:
    (tmp_path / "v2" / "full_scale").mkdir(parents=True)
    (tmp_path / "v2" / "full_scale" / "u.mp4").write_bytes(b"x")
    (tmp_path / "v2" / "ego4d.json").write_text('{"videos": [{"video_uid": "u", "scenarios": ["Cooking"]}]}')
    stream = build("Ego4d", tmp_path / "cache", root=str(tmp_path), mode="videos").as_streaming_dataset(split="train")
    assert [row["scenarios"] for row in stream] == [["Cooking"]]


def test_options_are_checked_and_name_the_cache(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ValidationError, match="Field required"):
        build("Folder", cache)
    with pytest.raises(ValidationError, match="must begin with a dot"):
        build("Folder", cache, path=str(videos), extensions=["mp4"])
    with pytest.raises(TypeError, match="colour"):
        build("Folder", cache, path=str(videos), colour="red")
    monkeypatch.chdir(videos)
    here = build("Folder", cache, path="sub")
    monkeypatch.chdir(tmp_path)
    ids = {
        here.config_id,
        build("Folder", cache, path=videos / "sub").config_id,
        build("Folder", cache, path=str(videos / "sub"), extensions=list(here.config.extensions)).config_id,
    }
    assert ids == {here.config_id}
    assert build("Folder", cache, path="sub").config_id != here.config_id
    here.download_and_prepare()
    assert len(here.as_dataset(split="train")) == 2
