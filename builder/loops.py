"""What `datasets.map` with an async function leaves behind, tidied up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ended_loops() -> Iterator[Callable[[], None]]:
    """Ends the event loops that `map` opens within; the function given is to be called inside them.

    `map` leaves its loop open, and tasks pending where its writer fails on a full disk. It then closes the writer
    twice, which raises a ValueError: the OSError before it is raised in its place.
    """
    loops = set[asyncio.AbstractEventLoop]()
    try:
        yield lambda: loops.add(asyncio.get_running_loop())
    except ValueError as error:
        raise _before(error) or error from None
    finally:
        for loop in loops:
            # a second clip that failed as the first did, of which `map` never asked: the first is what is raised
            loop.set_exception_handler(lambda loop, context: None)
            if pending := asyncio.all_tasks(loop):
                for task in pending:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.close()


def _before(error: BaseException) -> OSError | None:
    """The OSError while handling which an error came up."""
    before = error.__context__
    while before is not None and not isinstance(before, OSError):
        before = before.__context__
    return before
