"""The contract of an executor: where functions run that touch what came from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Executor(Protocol):
    """Worker processes behind a fence: each has one task in hand at a time, under a hard limit of time."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def submit(self, function: Callable[..., T], /, *args: object, timeout_s: float, **kwargs: object) -> Future[T]:
        """Run an importable function in a worker.

        The future raises what the function raises, and ClipError for a timeout or a death. It is cancelled where the
        executor has been stopped.
        """

    def each(
        self,
        function: Callable[..., T],
        items: Sequence[object],
        /,
        *,
        timeout_s: float,
        kind: str,
        on_done: Callable[[int, T | BaseException], None],
        **kwargs: object,
    ) -> None:
        """Run `function(item, **kwargs)` for every item, each under the limit of time.

        `on_done` hears of each item once, by its place, as it comes and from any thread: what the function returned, or
        what the future of `submit` would raise. Quick items travel together, and what they share travels with them
        once; `kind` names what they are, as items of one kind take about as long.
        """

    def hungry(self) -> bool:
        """Whether nothing waits to be done: soon a worker will have nothing to do."""

    def stop(self) -> None:
        """End what is running and cancel what waits; what is submitted afterwards is cancelled at once."""
