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

INSTANTS = 24


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


@pytest.mark.timeout(600)
def test_killed_at_random_instants(
    recipe: Path, tmp_path: Path, entry: list[str], published: Callable[[Path], dict[str, str]]
) -> None:
    calm, out = tmp_path / "calm", tmp_path / "out"
    started = time.monotonic()
    subprocess.run([*entry, recipe, "--out", calm], check=True, capture_output=True, timeout=240)
    whole_run_s = time.monotonic() - started
    expected = published(calm)

    rng = random.Random(20)
    killed = finished = 0
    while killed < INSTANTS:
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
    assert killed >= INSTANTS


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
