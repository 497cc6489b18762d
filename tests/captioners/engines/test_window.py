"""The window in virtual time: a loop that jumps to the next timer, and fails where nothing can ever happen again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.captioners.engines._limit import Limit
from shotscribe.captioners.engines._window import MAX_PAUSE_S, Window

T = TypeVar("T")


class Jump(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits, and nothing will ever happen"
        self.now += 0 if ready else max(0.0, timeout or 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def clock() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Server:
    """Serves `room` requests at once, each in `latency_s`; others wait, or are turned away where it is `strict`."""

    room: int
    latency_s: float = 1.0
    strict: bool = False
    inside: int = 0
    turned_away: int = 0
    served: int = 0

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.room)

    async def ask(self, window: Window) -> None:
        while True:
            async with window.place() as place:
                if self.strict and self.inside >= self.room:
                    self.turned_away += 1
                    place.ended = "busy"
                    continue
                self.inside += 1
                async with self.slots:
                    await asyncio.sleep(self.latency_s)
                self.inside -= 1
                self.served += 1
                place.ended = "done"
                return


async def load(server: Server, window: Window, requests: int) -> float:
    """Seconds until all are served."""
    await asyncio.gather(*(server.ask(window) for _ in range(requests)))
    return clock()


@pytest.mark.parametrize("room", [1, 3, 16, 100])
def test_it_grows_to_what_the_server_has_room_for_and_hardly_further(room: int) -> None:
    async def work() -> tuple[int, float]:
        window = Window(most=1000)
        seconds = await load(Server(room), window, 100 * room)
        return window.limit.value, seconds

    limit, seconds = run(work())
    assert 0.75 * room <= limit <= 2 * room + 8
    assert seconds <= 130  # a window that is always wide enough needs 100


def test_it_tries_less_and_less_above_what_brings_nothing() -> None:
    async def work() -> list[int]:
        window, limits = Window(most=1000), []

        async def watch() -> None:
            while True:
                limits.append(window.limit.value)
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        await load(Server(16), window, 16 * 400)
        watching.cancel()
        return limits

    limits = run(work())
    assert max(limits[:100]) > 20
    assert max(limits[-200:]) <= 24


def test_it_grows_to_its_bound_only_where_it_is_used() -> None:
    async def work(requests: int, most: int, at_once: int) -> int:
        window, server = Window(most=most), Server(1000)
        for _ in range(requests // at_once):
            await load(server, window, at_once)
        return window.limit.value

    assert run(work(2000, 50, 2000)) == 50
    assert run(work(2000, 50, 7)) == 8


def test_after_trouble_it_doubles_up_to_half_of_what_it_was_and_grows_slowly_above() -> None:
    limit, now = Limit(1000), 0

    def serve(until: int) -> list[int]:
        """The limits that it goes through, a second a request, until one is reached."""
        nonlocal now
        passed = [limit.value]
        while limit.value < until:
            now += 1
            for _ in range(limit.value):
                limit.done(now, sent=now - 1, full=True)
                passed += [limit.value] if limit.value != passed[-1] else []
        return passed

    assert serve(100) == [8, 16, 32, 64, 128]
    while limit.value > 1:
        limit.trouble(now, busy=True, sent_after=limit.decreases)
    assert serve(70) == [1, 2, 4, 8, 16, 32, 64, 66, 68, 70]


def test_it_finds_the_room_of_a_server_that_turns_away_the_rest() -> None:
    async def work() -> tuple[Server, float]:
        server = Server(20, strict=True)
        return server, await load(server, Window(most=256), 4000)

    server, seconds = run(work())
    assert server.served == 4000
    assert server.turned_away < 400
    assert seconds < 4000 / 20 * 2  # at least half of what the server can do


def test_trouble_halves_once_for_all_that_was_under_way() -> None:
    async def work() -> tuple[list[int], list[float]]:
        window, limits, starts = Window(most=100), [], []
        window.limit.value = 16

        async def fail() -> None:
            async with window.place() as place:
                starts.append(clock())
                await asyncio.sleep(1)
                place.ended = "busy"
            limits.append(window.limit.value)

        await asyncio.gather(*(fail() for _ in range(16 + 8 + 4)))
        return limits, starts

    limits, starts = run(work())
    assert limits == [8] * 16 + [4] * 8 + [2] * 4
    assert starts == [0.0] * 16 + [2.0] * 8 + [5.0] * 4  # 1 s at the server, then a rest of 1 s, then one of 2 s


def test_one_fault_among_many_answers_is_no_trouble_and_a_storm_is() -> None:
    limit = Limit(100)
    limit.value = 16
    for at in range(100):
        if at % 10 == 5:
            assert limit.trouble(at, busy=False, sent_after=0) is None
        else:
            limit.done(at, sent=at, full=False)
    assert limit.value == 16
    rests = [limit.trouble(101, busy=False, sent_after=limit.decreases) for _ in range(40)]
    assert [rest for rest in rests if rest is not None] == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert limit.value == 1
    limit.done(102, sent=101, full=True)
    assert limit.trouble(103, busy=True, sent_after=limit.decreases) == 1


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.0, 7.1), (1e9, MAX_PAUSE_S + 0.1)])
def test_a_retry_after_holds_everybody_back(asked_s: float, waited_s: float) -> None:
    async def work() -> list[float]:
        window, starts = Window(most=100), []

        async def ask(number: int) -> None:
            async with window.place() as place:
                starts.append(clock())
                if number == 0:
                    await asyncio.sleep(0.1)
                    place.ended, place.retry_after_s = "busy", asked_s
                else:
                    await asyncio.sleep(0.5)
                    place.ended = "done"

        await asyncio.gather(*(ask(number) for number in range(12)))
        return starts

    starts = run(work())
    assert starts[:8] == [0.0] * 8  # they were there already
    assert min(starts[8:]) == pytest.approx(waited_s)


def test_requests_a_minute_are_spread() -> None:
    async def work() -> list[float]:
        window, starts = Window(most=100, per_minute=120), []

        async def ask() -> None:
            async with window.place() as place:
                starts.append(clock())
                place.ended = "done"

        await asyncio.gather(*(ask() for _ in range(20)))
        return starts

    starts = run(work())
    assert [later - sooner for sooner, later in pairwise(starts)] == pytest.approx([0.5] * 19)


def test_a_place_that_was_given_to_one_who_is_cancelled_is_given_to_the_next() -> None:
    async def work() -> str:
        window = Window(most=1)

        async def take() -> str:
            async with window.place():
                return "served"

        async with window.place():
            second, third = asyncio.create_task(take()), asyncio.create_task(take())
            await asyncio.sleep(1)
        second.cancel()  # its turn has come, and it has not run yet
        return await third

    assert run(work()) == "served"


@dataclass(frozen=True)
class Client:
    arrives: float
    stays: float
    ends: Literal["done", "busy", "failed", "other", "error"]
    retry_after_s: float | None
    cancelled: float | None


TIMES = st.integers(0, 40).map(lambda tenths: tenths / 10)
CLIENTS = st.builds(
    Client,
    arrives=TIMES,
    stays=TIMES,
    ends=st.sampled_from(["done", "done", "busy", "failed", "other", "error"]),
    retry_after_s=st.none() | TIMES,
    cancelled=st.none() | TIMES,
)


@given(
    clients=st.lists(CLIENTS, max_size=40),
    most=st.integers(1, 12),
    per_minute=st.none() | st.sampled_from([60.0, 600.0]),
)
@settings(max_examples=200)
def test_whatever_happens_everybody_gets_through_and_nobody_twice(
    clients: list[Client], most: int, per_minute: float | None
) -> None:
    async def work() -> None:
        window = Window(most=most, per_minute=per_minute)
        inside, starts = 0, dict[int, float]()
        asked, pauses = list[int](), list[tuple[float, float]]()

        async def ask(number: int, client: Client) -> None:
            nonlocal inside
            await asyncio.sleep(client.arrives)
            asked.append(number)
            async with window.place() as place:
                inside += 1
                starts[number] = clock()
                assert 1 <= inside <= most
                assert not any(since < clock() < until - 1e-9 for since, until in pauses)
                try:
                    await asyncio.sleep(client.stays)
                    if client.ends == "error":
                        raise ZeroDivisionError
                    place.ended, place.retry_after_s = client.ends, client.retry_after_s
                    if client.ends in ("busy", "failed"):
                        pauses.append((clock(), clock() + (client.retry_after_s or 0)))
                finally:
                    inside -= 1
            assert 1 <= window.limit.value <= most

        tasks = [asyncio.ensure_future(ask(number, client)) for number, client in enumerate(clients)]
        for task, client in zip(tasks, clients, strict=True):
            if client.cancelled is not None:
                asyncio.get_running_loop().call_later(client.cancelled, task.cancel)
        for task, client, result in zip(
            tasks, clients, await asyncio.gather(*tasks, return_exceptions=True), strict=True
        ):
            if task.cancelled():
                assert client.cancelled is not None
            elif client.ends == "error":
                assert isinstance(result, ZeroDivisionError)
            else:
                assert result is None
        served = [starts[number] for number in asked if number in starts]
        assert served == sorted(served)  # first come, first served
        if per_minute:
            gaps = [later - sooner for sooner, later in pairwise(served)]
            assert all(gap >= 60 / per_minute - 1e-9 for gap in gaps)
        for _ in range(most):  # no place was lost
            async with asyncio.timeout(1000), window.place():
                pass

    run(work())


EVENTS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from(["done", "busy", "failed"]), st.booleans(), st.integers(0, 3)),
    max_size=200,
)


@given(events=EVENTS, most=st.integers(1, 1000))
def test_the_limit_stays_between_1_and_the_most_and_depends_on_nothing_else(events: list[Any], most: int) -> None:
    def values() -> list[tuple[int, float | None]]:
        limit, now, made = Limit(most), 0.0, []
        for wait, kind, full, old in events:
            now, rest = now + wait, None
            if kind == "done":
                limit.done(now, sent=now - wait, full=full)
            else:
                rest = limit.trouble(now, busy=kind == "busy", sent_after=max(0, limit.decreases - old))
            assert 1 <= limit.value <= most
            assert rest is None or 1 <= rest <= 60
            made.append((limit.value, rest))
        return made

    assert values() == values()
