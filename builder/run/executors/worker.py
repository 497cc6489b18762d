"""A worker process: takes calls from its parent one by one, and never outlives it."""

from __future__ import annotations

import os
import pickle
import signal
from multiprocessing.connection import Connection
from typing import NoReturn

from .child import follow
from .streams import outlive_readers


def main(handle: int, parent: int) -> None:
    """Take (count, pickled function, arguments of each call, keywords of all), and answer each call by itself with
    what it returned or raised, until the parent closes the line.

    Ctrl-C is the parent's to handle.
    """
    outlive_readers()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow(parent, lambda: os._exit(1))
    line = Connection(handle)
    while True:
        try:
            count, call = line.recv()
        except (EOFError, OSError):  # the parent has closed the line, or is gone
            return
        try:
            function, items, kwargs = pickle.loads(call)  # noqa: S301  (the parent's own)
        except Exception as error:  # noqa: BLE001  (what was sent cannot be imported here)
            function, items, kwargs = _raise, [(error,)] * count, {}
        for arguments in items:
            try:
                answer = function(*arguments, **kwargs)
            except Exception as error:  # noqa: BLE001  (it is raised again where the result is awaited)
                error.add_note(f"in a worker process, {function.__module__}.{function.__qualname__}")
                answer = error
            try:
                line.send(answer)
            except OSError:
                return
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                line.send(RuntimeError(f"{function.__qualname__}: its result cannot be sent: {error}"))


def _raise(error: Exception) -> NoReturn:
    raise error
