"""A file is known by what is in it: to touch, copy or move it changes nothing; another content is another clip."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from shotscribe.builder.contract.locations import media_size, media_version
from shotscribe.builder.contract.source import Source, SourceClip
from shotscribe.builder.run.ingest import ingest
from shotscribe.builder.store import clips
from shotscribe.builder.store.clips import ClipTable

MIB = 1 << 20


class Files(Source):
    use: Literal["files"] = "files"
    path: Path

    def clips(self, work: Path) -> Iterator[SourceClip]:
        for path in sorted(self.path.iterdir()):
            yield SourceClip(f"{path.name} early", str(path), 0.0, 1.0)
            yield SourceClip(f"{path.name} late", str(path), 1.0, 2.0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read to be known again."""
    names: list[str] = []

    def counted(path: str, identity: str) -> str:
        names.append(Path(path).name)
        return media_version(path, identity)  # type: ignore[arg-type]

    monkeypatch.setattr(clips, "media_version", counted)
    return names


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for at in range(6):
        (folder / f"{at}.mp4").write_bytes(bytes([at]) * (3 * MIB))
    return folder


def listed(corpus: Path, state: Path, **options: str) -> ClipTable:
    source = Files(path=corpus, **options)  # type: ignore[arg-type]
    return ingest([source], folder=state, media_folder=state, piece_rows=4, limit=None)


def versions(table: ClipTable) -> list[str]:
    return [v for piece in table.pieces for v in table.clips(piece).column("media_version").to_pylist()]


def overwrite(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"other")


def test_a_file_is_read_once_and_not_again_while_its_size_and_time_stand(corpus, tmp_path, reads):
    first = listed(corpus, tmp_path / "state")
    assert len(first.pieces) > 1
    assert sorted(set(reads)) == [f"{at}.mp4" for at in range(6)]
    assert len(reads) <= 6 + len(first.pieces), "once a piece that has clips of it"
    reads.clear()
    assert listed(corpus, tmp_path / "state") == first
    assert reads == []


@pytest.mark.parametrize("how", ["touched", "moved", "copied"])
def test_the_same_content_is_the_same_clip(how, corpus, tmp_path, reads):
    before = listed(corpus, tmp_path / "state")
    place = corpus
    if how == "touched":
        os.utime(corpus / "3.mp4")
    elif how == "moved":
        place = corpus.rename(tmp_path / "elsewhere")
    else:
        place = Path(shutil.copytree(corpus, tmp_path / "copy"))
        shutil.rmtree(corpus)
    reads.clear()
    after = listed(place, tmp_path / "state")
    assert after.pieces == before.pieces
    assert set(reads) == ({"3.mp4"} if how == "touched" else {f"{at}.mp4" for at in range(6)})
    rows = [row for piece in after.pieces for row in after.clips(piece).to_pylist()]
    assert {row["media"] for row in rows} == {str(path) for path in place.iterdir()}, (
        "they are looked for where they are"
    )


@pytest.mark.parametrize("at", [0, MIB - 5, 2 * MIB, 3 * MIB - 5])
def test_another_beginning_or_end_is_another_clip(at, corpus, tmp_path):
    before = versions(listed(corpus, tmp_path / "state"))
    overwrite(corpus / "3.mp4", at)
    after = versions(listed(corpus, tmp_path / "state"))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True] * 6 + [False] * 2 + [True] * 4


def test_a_change_in_between_is_seen_where_all_of_a_file_counts(corpus, tmp_path, reads):
    seen = {}
    for identity in ("ends", "full"):
        before = versions(listed(corpus, tmp_path / "state", media_identity=identity))
        overwrite(corpus / "3.mp4", MIB + 7 + len(seen))
        seen[identity] = versions(listed(corpus, tmp_path / "state", media_identity=identity)) != before
    assert seen == {"ends": False, "full": True}
    assert {version.split("-")[1] for version in versions(listed(corpus, tmp_path / "state"))} == {"ends"}


def test_a_small_file_counts_as_a_whole(tmp_path):
    path = tmp_path / "a.mp4"
    seen = set()
    for content in (b"", b"a", b"ab", bytes(2 * MIB), bytes(MIB) + b"x" + bytes(MIB - 1), bytes(2 * MIB + 1)):
        path.write_bytes(content)
        seen.add(media_version(path, "ends"))
        assert media_size(media_version(path, "ends")) == len(content)
    assert len(seen) == 6


def test_a_file_that_cannot_be_read_is_left_to_the_steps_and_looked_at_again(corpus, tmp_path, monkeypatch, reads):
    def denied(path: str, identity: str) -> str:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(clips, "media_version", denied)
        assert len(versions(listed(corpus, tmp_path / "state"))) == 12
    assert reads == []
    assert all("-ends-" in version for version in versions(listed(corpus, tmp_path / "state")))
