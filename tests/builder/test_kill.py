"""SIGKILL at random instants, of the command or of one of its workers: nothing lost, nothing twice, the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

INSTANTS = 6  # times the fixture `soak`


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            if int(parent) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.soak
def test_killed_at_random_instants(
    recipe: Path, tmp_path: Path, entry: list[str], published: Callable[[Path], dict[str, str]], soak: int
) -> None:
    calm, out = tmp_path / "calm", tmp_path / "out"
    started = time.monotonic()
    subprocess.run([*entry, recipe, "--out", calm], check=True, capture_output=True, timeout=240)
    whole_run_s = time.monotonic() - started
    expected = published(calm)

    rng = random.Random(20)
    killed = finished = 0
    while killed < INSTANTS * soak:
        run = subprocess.Popen([*entry, recipe, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.2, whole_run_s))
        victims = children(run.pid) if rng.random() < 0.3 else [run.pid]
        if run.poll() is None and victims:
            killed += 1
            os.kill(rng.choice(victims), signal.SIGKILL)
            if victims != [run.pid]:  # the run must survive the death of a worker
                assert run.wait(timeout=240) == 0, run.stderr.read().decode() if run.stderr else ""
        _, errors = run.communicate(timeout=240)
        if run.returncode == 0:
            assert published(out) == expected
            finished += 1
            shutil.rmtree(out)
        else:
            assert run.returncode == -signal.SIGKILL, errors.decode()
    subprocess.run([*entry, recipe, "--out", out], check=True, capture_output=True, timeout=240)
    assert published(out) == expected
    assert killed >= INSTANTS * soak


@pytest.mark.soak
def test_killed_while_the_recipe_and_the_limit_change(
    parts: Path, tmp_path: Path, entry: list[str], published: Callable[[Path], dict[str, str]], soak: int
) -> None:
    """Each run asks for another dataset over the same state: what one leaves half done never shows in another."""
    text = parts.read_text().replace("shard_size: 40KB", "shard_size: 9MB")  # how many there are, history settles
    asked: list[tuple[str, tuple[str, ...]]] = [("0.3", ("--limit", "3")), ("0.3", ()), ("0.5", ())]

    def command(least: str, limit: tuple[str, ...], out: Path) -> list[object]:
        parts.write_text(text.replace("min_s: 0.3", f"min_s: {least}"))
        return [*entry, parts, "--out", out, *limit]

    def folder(out: Path, limit: tuple[str, ...]) -> Path:
        return out.with_name(f"{out.name}-limit-3") if limit else out

    expected = {}
    for at, (least, limit) in enumerate(asked):
        calm, started = tmp_path / f"calm{at}", time.monotonic()
        subprocess.run(command(least, limit, calm), check=True, capture_output=True, timeout=240)
        whole_run_s = time.monotonic() - started
        expected[least, limit] = published(folder(calm, limit))

    rng, out = random.Random(4), tmp_path / "out"
    for _ in range(INSTANTS * soak):
        least, limit = rng.choice(asked)
        run = subprocess.Popen(command(least, limit, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.2, whole_run_s))
        run.kill()
        _, errors = run.communicate(timeout=240)
        assert run.returncode in (0, -signal.SIGKILL), errors.decode()
        if run.returncode == 0:
            assert published(folder(out, limit)) == expected[least, limit]
    for least, limit in asked:
        subprocess.run(command(least, limit, out), check=True, capture_output=True, timeout=240)
        assert published(folder(out, limit)) == expected[least, limit]
    cuts = [path.name for path in (out / ".work" / "cuts").iterdir()]
    assert len(cuts) == 2, "what only the looser threshold keeps, and no sample has"
    assert not [name for name in cuts if name.startswith(".")]


def test_workers_do_not_outlive_a_killed_command(recipe: Path, tmp_path: Path, entry: list[str]) -> None:
    run = subprocess.Popen([*entry, recipe, "--out", tmp_path / "out"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (workers := children(run.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers
    time.sleep(0.5)
    run.kill()
    run.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
