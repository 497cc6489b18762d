"""A worker process: takes calls from its parent one by one, and never outlives it."""

from __future__ import annotations

import os
import pickle
import signal
from multiprocessing.connection import Connection

from .child import follow
from .streams import outlive_readers


def main(handle: int, parent: int) -> None:
    """Answer (function, args, kwargs) with (True, result) or (False, exception) until the parent closes the line.

    Ctrl-C is the parent's to handle.
    """
    outlive_readers()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow(parent, lambda: os._exit(1))
    line = Connection(handle)
    while True:
        try:
            function, args, kwargs = line.recv()
        except (EOFError, OSError):  # the parent has closed the line, or is gone
            return
        except (AttributeError, ImportError, pickle.UnpicklingError) as error:  # what was sent cannot be imported here
            line.send((False, error))
            continue
        try:
            answer = (True, function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (it is raised again where the result is awaited)
            error.add_note(f"in a worker process, {function.__module__}.{function.__qualname__}")
            answer = (False, error)
        try:
            line.send(answer)
        except OSError:
            return
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            line.send((False, RuntimeError(f"{function.__qualname__}: its result cannot be sent: {error}")))
