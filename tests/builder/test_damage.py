"""Files of state that a disk, a kill or a hand has changed: never believed, said, and made again."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from shotscribe.builder.build import Built
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.output.hub import _local_files
from shotscribe.builder.store.arrow import read_or_drop
from shotscribe.builder.store.seal import damaged, read_state

Run = Callable[..., Built]
FLIPS, RUNS = 300, 10  # times the fixture `soak`
SEALED = ("values", "clips", "tars", "done.json", "piece_rows.json")


@pytest.fixture
def out(parts: Path, tmp_path: Path, run: Run) -> Path:
    run(parts, tmp_path / "out")
    return tmp_path / "out"


def sealed(out: Path) -> list[Path]:
    """Every sealed file of a state."""
    work = out / ".work"
    paths = [path for path in work.rglob("*") if path.is_file() and path.relative_to(work).parts[0] in SEALED]
    return sorted(path for path in paths if path.suffix in (".arrow", ".json"))


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    bit = chance.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def test_state_is_of_every_kind(out: Path) -> None:
    names = {path.relative_to(out / ".work").parts[0] for path in sealed(out)}
    assert names == set(SEALED)
    kinds = {path.parent.name.split("-")[0] for path in sealed(out)}
    assert {"probe", "luma", "clips", "tars"} <= kinds


@pytest.mark.soak
def test_no_flipped_bit_is_read_as_another_value(out: Path, soak: int) -> None:
    chance, paths = random.Random(8), sealed(out)
    for _ in range(FLIPS * soak):
        path = chance.choice(paths)
        whole = path.read_bytes()
        flip(path, chance)
        assert (read_or_drop(path) if path.suffix == ".arrow" else read_state(path)) is None
        assert damaged() == [path]
        assert not path.exists()
        path.write_bytes(whole)


def truncate(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def zero(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data))
    data[start : start + 512] = bytes(len(data[start : start + 512]))
    data[0] ^= 255  # one that was zero already is changed too
    path.write_bytes(data)


def delete(path: Path, chance: random.Random) -> None:
    path.unlink()


def replace(path: Path, chance: random.Random) -> None:
    """By a whole file of the same kind from another place."""
    near = [other for other in path.parents[1].rglob(f"*{path.suffix}") if other != path and other.is_file()]
    shutil.copy2(chance.choice(near or [path]), path)


@pytest.mark.soak
@pytest.mark.parametrize("harm", [flip, truncate, zero, delete, replace])
def test_a_run_over_damaged_state_ends_as_if_nothing_had_been(
    harm: Callable[[Path, random.Random], None],
    out: Path,
    parts: Path,
    run: Run,
    published: Callable[[Path], dict[str, str]],
    soak: int,
) -> None:
    chance, before = random.Random(harm.__name__), published(out)
    for number in range(-(-RUNS * soak // 5)):
        for path in chance.sample(sealed(out), 2):
            harm(path, chance)
        if number % 2:  # the whole build is looked at again, not only what says that it is there
            (out / ".work" / "done.json").unlink(missing_ok=True)
        said: list[str] = []
        run(parts, out, said=said)
        assert published(out) == before
        assert damaged() == []  # what was found has been told


def test_what_was_damaged_is_said(out: Path, parts: Path, run: Run) -> None:
    values = next(path for path in sealed(out) if path.parent.name.startswith("luma-"))
    flip(values, random.Random(1))
    (out / ".work" / "done.json").unlink()
    said: list[str] = []
    run(parts, out, said=said)
    assert f"state that was damaged is made again: {values.parent.name}/{values.name}" in said


def published_files(out: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file() and ".work" not in path.relative_to(out).parts)


@pytest.mark.soak
@pytest.mark.parametrize("harm", [flip, truncate, zero, delete])
def test_published_files_that_were_damaged_are_made_again(
    harm: Callable[[Path, random.Random], None],
    out: Path,
    parts: Path,
    run: Run,
    published: Callable[[Path], dict[str, str]],
    soak: int,
) -> None:
    """With tars that are links to those of the state, and with copies of them."""
    chance, before = random.Random(harm.__name__), published(out)
    for number in range(4 * soak):
        path = chance.choice(published_files(out))
        if number % 2:
            linked = path.read_bytes()
            path.unlink()
            path.write_bytes(linked)
        harm(path, chance)
        said: list[str] = []
        assert not run(parts, out, said=said).reused
        assert published(out) == before
    assert run(parts, out).reused


@pytest.mark.soak
@pytest.mark.parametrize("harm", [flip, truncate, zero, delete])
@pytest.mark.parametrize("quietly", [False, True])
def test_a_damaged_tar_is_not_packed_into_another(
    harm: Callable[[Path, random.Random], None],
    quietly: bool,
    out: Path,
    parts: Path,
    run: Run,
    published: Callable[[Path], dict[str, str]],
    tmp_path: Path,
) -> None:
    """Not even where its time does not tell that it was changed."""
    tar = sorted((out / ".work" / "tars").glob("*.tar"))[0]
    before = tar.stat()
    harm(tar, random.Random(harm.__name__))
    if quietly and tar.exists():
        os.utime(tar, ns=(before.st_atime_ns, before.st_mtime_ns))
    parts.write_text(parts.read_text().replace("shard_size: 40KB", "shard_size: 9MB"))
    said: list[str] = []
    run(parts, out, said=said)
    run(parts, tmp_path / "clean")
    assert published(out) == published(tmp_path / "clean")
    if harm is not delete:
        assert [line for line in said if line.startswith("state that was damaged is made again: tars/")]


@pytest.mark.parametrize("harm", [flip, truncate, zero])
def test_a_damaged_cut_is_cut_again(
    harm: Callable[[Path, random.Random], None],
    out: Path,
    parts: Path,
    run: Run,
    published: Callable[[Path], dict[str, str]],
) -> None:
    before, text = published(out), parts.read_text()
    parts.write_text(text.replace("{use: duration,", "{use: duration, max_s: 0.45,"))
    run(parts, out)  # what was in the tars that went is loose now
    loose = sorted((out / ".work" / "cuts").iterdir())
    assert loose
    harm(loose[0], random.Random(1))
    parts.write_text(text)
    said: list[str] = []
    run(parts, out, said=said)
    assert published(out) == before
    assert [line for line in said if line.startswith("state that was damaged is made again: cuts/")]


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("pattern", ["data/*.tar", "metadata/*.parquet", "rejects.parquet"])
def test_what_a_push_refuses_is_made_again_by_a_run_as_it_says(
    pattern: str,
    copied: bool,
    out: Path,
    parts: Path,
    run: Run,
    published: Callable[[Path], dict[str, str]],
) -> None:
    """Damage that neither size nor time tells of."""
    before, path = published(out), sorted(out.glob(pattern))[0]
    if copied:
        shutil.copy2(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)
    about = path.stat()
    flip(path, random.Random(2))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert run(parts, out).reused
    with pytest.raises(RunError, match="not what was built; run the recipe again, which makes it anew, then push"):
        _local_files(out)
    assert not run(parts, out).reused
    assert published(out) == before
    _local_files(out)
