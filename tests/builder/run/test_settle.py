"""Steps that see all clips: decisions hold exactly as long as nothing changed that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from shotscribe.builder.contract.clip import Columns
from shotscribe.builder.contract.columns import AnyType, Optional
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.markers import Judges
from shotscribe.builder.contract.step import TableStep
from shotscribe.builder.recipe.plan import PlannedStep
from shotscribe.builder.run.settle import settle
from shotscribe.builder.store.arrow import read_table, write_scratch

calls = {"settle": 0}


class SameText(TableStep):
    """Drops a text of an earlier clip; `key` is an option with the name of something else."""

    use: Literal["same_text"] = "same_text"
    fold: Judges[bool] = False
    key: Judges[str] = "x"

    def reads(self) -> Columns:
        return {"text": "string"}

    def settle(self, table: Any) -> Iterator[tuple[int, Rejection]]:
        calls["settle"] += 1
        seen: dict[str, str] = {}
        for at, row in enumerate(table.to_pylist()):
            text = row["text"].lower() if self.fold else row["text"]
            if text in seen:
                yield at, Rejection(Reason.DUPLICATE, f"of {seen[text]}")
            seen.setdefault(text, row["clip_id"])


@pytest.fixture(autouse=True)
def _counted() -> None:
    calls.update(settle=0)


def tables(folder: Path, *shards: dict[str, str]) -> list[Path]:
    paths = []
    for at, shard in enumerate(shards):
        table = pa.table({"clip_id": list(shard), "media_version": ["1"] * len(shard), "text": list(shard.values())})
        paths.append(folder / f"shard{at}.arrow")
        write_scratch(paths[-1], table)
    return paths


def run(folder: Path, paths: list[Path], step: SameText, key: str = "ab" * 32) -> tuple[set[str], list[int]]:
    told: list[int] = []
    planned = PlannedStep(0, step, "same_text", key)
    return set(settle(planned, step, paths, work=folder / "w", on_seen=told.append)), told


def test_clips_of_all_shards_are_seen_in_order(tmp_path: Path) -> None:
    paths = tables(tmp_path, {"a": "one", "b": "two"}, {"c": "One", "d": "two"}, {"e": "one"})
    assert run(tmp_path, paths, SameText())[0] == {"d", "e"}
    assert run(tmp_path, paths, SameText(fold=True))[0] == {"c", "d", "e"}
    assert calls == {"settle": 2}


class SameName(SameText):
    """By a column that is used where it is there, else by the text."""

    def reads(self) -> Columns:
        return {"text": "string", "name": Optional("string"), "title": Optional(AnyType())}

    def settle(self, table: Any) -> Iterator[tuple[int, Rejection]]:
        assert table.column_names == ["clip_id", "text", "title"]
        return super().settle(table.drop_columns("text").rename_columns(["clip_id", "text"]))


def test_columns_are_used_where_they_are_there(tmp_path: Path) -> None:
    (path,) = tables(tmp_path, {"a": "one", "b": "two", "c": "three"})
    write_scratch(path, read_table(path).append_column("title", pa.array(["x", "y", "x"])))
    assert run(tmp_path, [path], SameName())[0] == {"c"}
    write_scratch(path, read_table(path).drop_columns("title").append_column("title", pa.array(["x", "y", "z"])))
    assert run(tmp_path, [path], SameName())[0] == set()


def test_a_second_run_settles_nothing_and_counts_every_row(tmp_path: Path) -> None:
    paths = tables(tmp_path, {"a": "one", "b": "two"}, {"c": "one"})
    first, _ = run(tmp_path, paths, SameText())
    again, told = run(tmp_path, paths, SameText())
    assert first == again == {"c"}
    assert calls == {"settle": 1}
    assert told == [2, 1]


def test_one_clip_less_or_a_changed_text_settles_anew(tmp_path: Path) -> None:
    run(tmp_path, tables(tmp_path, {"a": "one", "b": "two"}, {"c": "one"}), SameText())
    assert run(tmp_path, tables(tmp_path, {"b": "two"}, {"c": "one"}), SameText())[0] == set()
    assert run(tmp_path, tables(tmp_path, {"a": "two", "b": "two"}, {"c": "one"}), SameText())[0] == {"b"}
    assert calls == {"settle": 3}
    assert run(tmp_path, tables(tmp_path, {"c": "one"}, {"a": "one", "b": "two"}), SameText())[0] == {"a"}


def test_another_key_settles_anew_whatever_options_are_called(tmp_path: Path) -> None:
    paths = tables(tmp_path, {"a": "one"})
    run(tmp_path, paths, SameText())
    run(tmp_path, paths, SameText(), key="cd" * 32)
    run(tmp_path, paths, SameText(key="y"))
    assert calls["settle"] == 3


def test_no_clip_left(tmp_path: Path) -> None:
    empty = pa.table({name: pa.array([], pa.string()) for name in ("clip_id", "media_version", "text")})
    write_scratch(tmp_path / "shard0.arrow", empty)
    assert run(tmp_path, [tmp_path / "shard0.arrow"], SameText())[0] == set()


def test_a_damaged_decision_is_made_anew(tmp_path: Path) -> None:
    paths = tables(tmp_path, {"a": "one", "c": "one"})
    run(tmp_path, paths, SameText())
    (decided,) = (tmp_path / "w").rglob("decisions-*.arrow")
    decided.write_bytes(decided.read_bytes()[:40])
    assert run(tmp_path, paths, SameText())[0] == {"c"}
    assert calls["settle"] == 2
