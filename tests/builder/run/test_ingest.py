"""The table of clips: every row once, in pieces that stay where they are when the corpus changes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.clip import clip_id
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.source import Source, SourceClip, SourceReject
from shotscribe.builder.run.ingest import ingest
from shotscribe.builder.store.clips import ClipTable

Listed = SourceClip | SourceReject


class Corpus(Source):
    """Clips by name; a name that ends with ! is a row that is no clip."""

    use: Literal["corpus"] = "corpus"
    names: tuple[str, ...]

    def clips(self, work: Path) -> Iterator[Listed]:
        for name in self.names:
            if name.endswith("!"):
                yield SourceReject(name, Rejection(Reason.BAD_ROW, "no clip"))
            else:
                yield SourceClip(name, f"https://example.com/{name}")


def listing(folder: Path, names: Sequence[str], *, piece_rows: int = 4, limit: int | None = None) -> ClipTable:
    corpus = Corpus(names=tuple(names))
    return ingest([corpus], folder=folder, media_folder=folder, piece_rows=piece_rows, limit=limit)


def content(table: ClipTable) -> dict[str, list[str]]:
    """Shard name -> the ids of its clips."""
    return {piece.name: table.clips(piece).column("source_id").to_pylist() for piece in table.pieces}


def is_border(name: str, piece_rows: int) -> bool:
    digest = hashlib.sha256(clip_id("corpus", name, None, None).encode()).hexdigest()
    return int(digest[:12], 16) % piece_rows == 0


@pytest.fixture(scope="module", autouse=True)
def _unsynced() -> Iterator[None]:
    """A hundred listings: nothing here is about what a power failure leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shotscribe.builder.store.files.sync", lambda path: None)
        yield


names = st.lists(st.sampled_from([f"{number}" for number in range(40)] + ["a!", "b!"]), min_size=1, max_size=120)


@settings(max_examples=60)
@given(names, st.integers(1, 6))
def test_every_row_is_a_clip_or_a_reject_once(rows: list[str], piece_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = listing(Path(folder), rows, piece_rows=piece_rows)
        kept = [clip for ids in content(table).values() for clip in ids]
        refused = [row for piece in table.pieces for row in table.rejects(piece).to_pylist()]
        assert kept == list(dict.fromkeys(row for row in rows if not row.endswith("!")))
        assert sorted([*kept, *(row["source_id"] for row in refused)]) == sorted(rows)
        assert len({piece.name for piece in table.pieces}) == len(table.pieces)
        assert (table.rows, table.rejected) == (len(kept), len(refused))
        files = {f"{piece.name}{kind}" for piece in table.pieces for kind in (".arrow", ".rejects.arrow")}
        assert {path.name for path in Path(folder).iterdir()} == files


def test_a_border_listed_twice_names_two_shards_apart(tmp_path: Path) -> None:
    border = next(name for name in map(str, range(1000)) if is_border(name, 4))
    inner = [name for name in map(str, range(1000)) if not is_border(name, 4)]
    rows = [border, *inner[:3], border, *inner[3:6], border]
    table = listing(tmp_path, rows)
    assert [clip for ids in content(table).values() for clip in ids] == [border, *inner[:6]]


def test_a_long_run_of_equal_rejects_is_cut_into_shards_of_their_own(tmp_path: Path) -> None:
    table = listing(tmp_path, ["same!"] * 100, piece_rows=2)
    assert sum(table.rejects(piece).num_rows for piece in table.pieces) == 100
    assert max(piece.rejected for piece in table.pieces) == 8


@settings(max_examples=60)
@given(st.data())
def test_one_clip_more_or_less_changes_the_shards_beside_it(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, 10**6).map(str), min_size=20, max_size=80, unique=True))
    piece_rows = data.draw(st.integers(8, 16))
    at = data.draw(st.integers(0, len(rows) - 1))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        more = content(listing(Path(one), rows, piece_rows=piece_rows))
        less = content(listing(Path(other), rows[:at] + rows[at + 1 :], piece_rows=piece_rows))
    if any(len(ids) == 4 * piece_rows for ids in [*more.values(), *less.values()]):
        return  # a piece that was closed for its size: those up to the next border may move
    changed = {name for name in more.keys() | less.keys() if more.get(name) != less.get(name)}
    assert len(changed) <= (2 if is_border(rows[at], piece_rows) else 1)


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    rows = [f"{number}" for number in range(50)]
    first = listing(tmp_path, rows)
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert listing(tmp_path, rows) == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    again = listing(tmp_path, [*rows[:20], "new", *rows[20:]])
    same = {piece.name for piece in first.pieces} & {piece.name for piece in again.pieces}
    touched = {name for name in same if (tmp_path / f"{name}.arrow").stat().st_mtime_ns != stamps[f"{name}.arrow"]}
    assert len(touched) == 1


def test_a_damaged_listing_is_written_again(tmp_path: Path) -> None:
    rows = [f"{number}" for number in range(10)]
    first = content(listing(tmp_path, rows))
    for path in tmp_path.glob("*.arrow"):
        path.write_bytes(path.read_bytes()[:20])
    assert content(listing(tmp_path, rows)) == first


@pytest.mark.parametrize("limit", [1, 5, 23])
def test_a_limit_lists_the_first_rows(tmp_path: Path, limit: int) -> None:
    rows = [f"{number}" for number in range(20)]
    limited = content(listing(tmp_path / "a", rows, limit=limit))
    assert [clip for ids in limited.values() for clip in ids] == rows[:limit]
    everything = content(listing(tmp_path / "b", rows))
    assert list(limited) == list(everything)[: len(limited)]


def test_another_address_of_a_clip_is_another_version_of_it(tmp_path: Path) -> None:
    class Moved(Corpus):
        def clips(self, work: Path) -> Iterator[Listed]:
            yield from (SourceClip(name, f"https://example.org/{name}") for name in self.names)

    arguments = {"media_folder": tmp_path, "piece_rows": 4, "limit": None}
    here = ingest([Corpus(names=("a",))], folder=tmp_path / "a", **arguments)
    there = ingest([Moved(names=("a",))], folder=tmp_path / "b", **arguments)
    first, second = (table.clips(table.pieces[0]).to_pylist()[0] for table in (here, there))
    assert first["clip_id"] == second["clip_id"]
    assert first["media_version"] != second["media_version"]
