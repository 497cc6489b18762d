"""What many clips ask for at the same time goes through a model together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from shotscribe.builder.contract.engine import EngineDied
from shotscribe.builder.contract.errors import RunError
from shotscribe.captioners.engines._batches import Batches


def test_items_of_all_who_ask_share_batches_and_each_gets_its_own() -> None:
    sizes: list[int] = []

    def double(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * item for item in items]

    async def ask() -> list[list[int]]:
        batches = Batches[int, int](double, most=4, at_once=1)
        return await asyncio.gather(*(batches.results(list(range(count))) for count in (3, 0, 5, 2)))

    assert asyncio.run(ask()) == [[0, 2, 4], [], [0, 2, 4, 6, 8], [0, 2]]
    assert max(sizes) == 4
    assert len(sizes) == 3


@pytest.mark.parametrize("asked", [[[1, 2]], [[1], [2]]])
def test_so_many_are_worked_on_at_once(asked: list[list[int]]) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(items: Sequence[int]) -> Sequence[int]:
        both.wait()
        return items

    async def ask() -> None:
        batches = Batches[int, int](meet, most=1, at_once=2)
        await asyncio.gather(*map(batches.results, asked))

    asyncio.run(ask())


def test_an_error_that_is_explained_ends_the_run_and_another_the_engine() -> None:
    def fails(items: Sequence[str]) -> Sequence[str]:
        raise ValueError(items[0])

    def explained(error: Exception) -> RunError | None:
        return RunError("lower batch") if str(error) == "large" else None

    async def ask(item: str) -> None:
        await Batches[str, str](fails, most=1, at_once=1, explained=explained).results([item])

    with pytest.raises(RunError, match="lower batch"):
        asyncio.run(ask("large"))
    with pytest.raises(EngineDied):
        asyncio.run(ask("other"))
