"""A child process: how it is started, with a line to its parent, and how it ends when the parent is gone.

Not `multiprocessing`: its spawned processes run the user's main script again.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

from ...contract import own_code

_HEAD, _LARGE = struct.Struct("!i"), struct.Struct("!Q")  # of a message of `multiprocessing.connection.Connection`
_READ = 1 << 18
_START = (
    "import json, sys; path, own = json.loads(sys.argv[1]); sys.path[:] = path; from {} import expect; expect(own); "
    "from {} import main; main(*map(int, sys.argv[2:]))"
)


_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def killed_from_outside(code: int) -> bool:
    """Whether somebody ended a process with this exit code, as the out-of-memory killer or a cluster does, and it did
    not fail by itself.
    """
    return code < 0 and -code in _FROM_OUTSIDE


class Line:
    """The parent's end of the line to a child, which has a `Connection` there.

    Whatever has come is taken in at once: a `Connection` reads each message in two calls, and each of them lets another
    thread in, which costs more than the message.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket, self._came = end, bytearray()

    def send(self, value: object) -> None:
        """Raises BrokenPipeError or ConnectionResetError where the child is gone."""
        message = pickle.dumps(value)
        self._socket.settimeout(None)
        self._socket.sendall(_HEAD.pack(len(message)) + message)

    def receive(self, *, timeout_s: float | None = None) -> Any:
        """The next message. Raises TimeoutError, EOFError or OSError where the child is gone, and what unpickling it
        raises.
        """
        head = self._read(_HEAD, 0, timeout_s)
        begin = _HEAD.size
        if head < 0:  # 2 GiB and more
            head, begin = self._read(_LARGE, begin, timeout_s), begin + _LARGE.size
        self._fill(begin + head, timeout_s)
        try:
            with memoryview(self._came) as came:
                return pickle.loads(came[begin : begin + head])  # noqa: S301  (our own child's)
        finally:
            del self._came[: begin + head]

    def _read(self, number: struct.Struct, at: int, timeout_s: float | None) -> int:
        self._fill(at + number.size, timeout_s)
        value: int = number.unpack_from(self._came, at)[0]
        return value

    def _fill(self, size: int, timeout_s: float | None) -> None:
        while len(self._came) < size:
            self._socket.settimeout(timeout_s)
            if not (came := self._socket.recv(_READ)):
                raise EOFError
            self._came += came

    def close(self) -> None:
        self._socket.close()


def start(
    module: str, *, output: IO[bytes] | int, errors: IO[bytes] | None = None, variables: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Line]:
    """Run `main(handle, parent)` of a module: `handle` is the child's end of the line, `parent` this process's id.

    In a process group of its own: Ctrl-C and Ctrl-Z are the parent's alone, even before the child can ignore them.
    """
    ours, theirs = socket.socketpair()
    code = _START.format(own_code.__name__, module)
    known = json.dumps([sys.path, own_code.files()])
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, known, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=variables,
            process_group=0,
        )
    return process, Line(ours)


def follow(parent: int, end: Callable[[], object]) -> None:
    """Call `end` when the parent is gone, from a thread: nobody waits any more for what this process does."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, daemon=True).start()
