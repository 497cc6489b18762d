"""The contract of an executor: where functions run that touch what came from outside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Executor(Protocol):
    """Worker processes behind a fence: each takes one task at a time, under a hard limit of time."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def submit(self, function: Callable[..., T], /, *args: object, timeout_s: float, **kwargs: object) -> Future[T]:
        """Run an importable function in a worker.

        The future raises what the function raises, and ClipError for a timeout or a death. It is cancelled where the
        executor has been stopped.
        """

    def stop(self) -> None:
        """End what is running and cancel what waits; what is submitted afterwards is cancelled at once."""
