"""A child process: how it is started, with a line to its parent, and how it ends when the parent is gone.

Not `multiprocessing`: its spawned processes run the user's main script again.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import IO

from ...contract import own_code

_START = (
    "import json, sys; path, own = json.loads(sys.argv[1]); sys.path[:] = path; from {} import expect; expect(own); "
    "from {} import main; main(*map(int, sys.argv[2:]))"
)


def start(
    module: str, *, output: IO[bytes] | int, errors: IO[bytes] | None = None, variables: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Connection]:
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
    return process, Connection(ours.detach())


def follow(parent: int, end: Callable[[], object]) -> None:
    """Call `end` when the parent is gone, from a thread: nobody waits any more for what this process does."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, daemon=True).start()
