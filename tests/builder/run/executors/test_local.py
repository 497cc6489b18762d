"""The pool of worker processes: hangs, deaths at the worst moment, and an end that leaves nothing behind."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.run.executors.local import LocalExecutor


@pytest.fixture
def pool() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as executor:
        yield executor


def test_results_and_errors_come_back(pool: LocalExecutor) -> None:
    assert pool.submit(divmod, 7, 2, timeout_s=20).result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 7, 0, timeout_s=20).result()
    with pytest.raises(KeyError):
        pool.submit(operator.getitem, {}, "a", timeout_s=20).result()


def test_a_task_that_hangs_is_killed_and_the_others_are_not(pool: LocalExecutor) -> None:
    hung = pool.submit(time.sleep, 60, timeout_s=1)
    others = [pool.submit(abs, -at, timeout_s=20) for at in range(50)]
    assert [task.result(timeout=30) for task in others] == list(range(50))
    with pytest.raises(ClipError, match="timeout: not done after 1 s"):
        hung.result(timeout=30)
    assert [pool.submit(abs, -1, timeout_s=20).result() for _ in range(3)] == [1, 1, 1]


def test_a_task_that_kills_its_worker_twice_is_rejected(pool: LocalExecutor) -> None:
    with pytest.raises(ClipError) as caught:
        pool.submit(os.abort, timeout_s=20).result(timeout=30)
    assert caught.value.rejection.reason is Reason.WORKER_DIED
    assert "SIGABRT" in caught.value.rejection.detail
    assert pool.submit(os._exit, 3, timeout_s=20).exception(timeout=30) is not None
    assert pool.submit(abs, -1, timeout_s=20).result(timeout=30) == 1


@pytest.mark.parametrize("idle", [True, False])
def test_a_worker_killed_from_outside_costs_nothing(pool: LocalExecutor, idle: bool) -> None:
    pids = {pool.submit(os.getpid, timeout_s=20).result() for _ in range(8)}
    tasks = [] if idle else [pool.submit(time.sleep, 0.5, timeout_s=20) for _ in range(4)]
    time.sleep(0.1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert [task.result(timeout=30) for task in tasks] == [None] * len(tasks)
    assert pool.submit(abs, -1, timeout_s=20).result(timeout=30) == 1


def test_stopping_cancels_what_waits_and_what_runs() -> None:
    executor = LocalExecutor(1)
    running = executor.submit(time.sleep, 60, timeout_s=100)
    waiting = executor.submit(time.sleep, 60, timeout_s=100)
    time.sleep(0.5)
    threading.Timer(0.2, executor.stop).start()
    for task in (running, waiting):
        with pytest.raises(CancelledError):
            task.result(timeout=20)
    assert executor.submit(abs, 1, timeout_s=1).cancelled()
    executor.__exit__(None, None, None)


def outcomes(
    pool: LocalExecutor, function: Any, items: list[Any], *, timeout_s: float = 20, **kwargs: object
) -> list[Any]:
    """What came of each item; an item that is heard of twice, or never, fails."""
    heard: dict[int, Any] = {}
    all_heard = threading.Event()

    def on_done(index: int, value: Any) -> None:
        assert index not in heard
        heard[index] = value
        if len(heard) == len(items):
            all_heard.set()

    pool.each(function, items, timeout_s=timeout_s, kind="test", on_done=on_done, **kwargs)
    assert all_heard.wait(60)
    return [heard[index] for index in range(len(items))]


def test_each_item_has_its_own_outcome(pool: LocalExecutor) -> None:
    for _ in range(3):  # from the second time on they are known to be quick, and go several at a time
        assert outcomes(pool, int, [*map(str, range(300))], base=10) == list(range(300))
    mixed = outcomes(pool, int, ["7", "x", "8"])
    assert (mixed[0], mixed[2]) == (7, 8)
    assert isinstance(mixed[1], ValueError)


@pytest.mark.parametrize(
    ("function", "harmless", "hazard", "reason"),
    [
        (time.sleep, 0, 60, Reason.TIMEOUT),
        (signal.raise_signal, signal.SIGCHLD, signal.SIGABRT, Reason.WORKER_DIED),
    ],
)
def test_of_items_that_travel_together_the_one_that_hangs_or_kills_is_blamed(
    pool: LocalExecutor, function: Any, harmless: int, hazard: int, reason: Reason
) -> None:
    outcomes(pool, function, [harmless] * 300)
    heard = outcomes(pool, function, [hazard if at % 40 == 5 else harmless for at in range(100)], timeout_s=1)
    reasons = {at: value.rejection.reason for at, value in enumerate(heard) if isinstance(value, ClipError)}
    assert reasons == {5: reason, 45: reason, 85: reason}
    assert [value for at, value in enumerate(heard) if at not in reasons] == [None] * 97


def test_what_cannot_be_sent_is_an_error_where_it_is_awaited(pool: LocalExecutor) -> None:
    unsendable, sendable = outcomes(pool, abs, [threading.Lock(), -1])
    assert isinstance(unsendable, TypeError)
    assert sendable == 1
    sent_back = outcomes(pool, threading.Semaphore, [1, 2])
    assert all(isinstance(value, RuntimeError) and "cannot be sent" in str(value) for value in sent_back)
    assert outcomes(pool, abs, [-1]) == [1]


def test_stopping_tells_every_item(pool: LocalExecutor) -> None:
    heard: dict[int, Any] = {}
    pool.each(time.sleep, [60] * 20, timeout_s=100, kind="test", on_done=heard.__setitem__)
    time.sleep(0.3)
    pool.stop()
    pool.each(time.sleep, [60], timeout_s=100, kind="test", on_done=lambda _, value: heard.__setitem__(99, value))
    deadline = time.monotonic() + 20
    while len(heard) < 21 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(heard) == 21
    assert all(isinstance(value, CancelledError) for value in heard.values())


def test_workers_end_with_the_pool() -> None:
    with LocalExecutor(2) as executor:
        pid = executor.submit(os.getpid, timeout_s=20).result()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from shotscribe.builder.run.executors.local import LocalExecutor\n"
        "print('run')\n"
        "with LocalExecutor(1) as executor:\n"
        "    print(executor.submit(abs, -5, timeout_s=20).result())\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["run", "5"]
