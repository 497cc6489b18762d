"""Files that are whole or not there, and the lock."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pyarrow as pa
import pytest
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.contract.identity import canonical_json
from shotscribe.builder.store.arrow import read_or_drop, read_table, write_table
from shotscribe.builder.store.files import clear_halves, locked, unwritable, write_atomically, write_text


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "first")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    def killed(temporary: Path) -> None:
        temporary.write_text("half")
        temporary.rename(kept)  # out of reach of the writer's own tidying, as after SIGKILL
        raise KeyboardInterrupt

    kept = tmp_path / "aside"
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.txt", killed)
    kept.rename(tmp_path / ".a.txt.1.tmp")
    (tmp_path / "b.tmp").touch()
    clear_halves([tmp_path, tmp_path / "missing"])
    assert [path.name for path in tmp_path.iterdir()] == ["b.tmp"]


def test_tables_come_back(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None], "b": [[0.5], []]})
    write_table(tmp_path / "t.arrow", table)
    assert read_table(tmp_path / "t.arrow") == table


def test_ten_thousand_tables_hold_no_file_open(tmp_path: Path) -> None:
    write_table(tmp_path / "t.arrow", pa.table({"a": [1]}))
    before = len(list(Path("/proc/self/fd").iterdir()))
    held = [read_table(tmp_path / "t.arrow") for _ in range(2000)]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
    assert pa.concat_tables(held).num_rows == 2000


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:50], lambda data: b"\0" * len(data)])
def test_a_damaged_table_is_dropped(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "t.arrow"
    write_table(path, pa.table({"a": [1]}))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert read_or_drop(path) is None
    assert not path.exists()
    assert read_or_drop(path) is None


def test_canonical_json() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_a_lock_is_one_process_alone_and_says_whose(tmp_path: Path) -> None:
    held = pytest.raises(RunError, match=r"another run holds .*process \d+ on")
    with locked(tmp_path / "w"), held, locked(tmp_path / "w"):
        raise AssertionError
    with locked(tmp_path / "w"):
        pass


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunError, match="No locks available"), locked(tmp_path / "w"):
        raise AssertionError


def test_a_lock_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"), locked(tmp_path / "file" / "w"):
        raise AssertionError


def test_unwritable_says_what_to_do(tmp_path: Path) -> None:
    assert "free some space" in str(unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device")))
