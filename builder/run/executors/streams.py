"""Standard streams that outlive their reader: a dataset is worth more than a line of news that nobody takes."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

_GONE = frozenset({errno.EPIPE, errno.EIO})
"""A pipe without a reader, a terminal that was closed. A full disk is neither: there a log loses what was wanted."""


class _Lasting(io.FileIO):
    """A file descriptor that leads nowhere once its reader is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, data: Any, /) -> int:  # bytes-like
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            _lead_nowhere(self.fileno())
            return len(data)


def outlive_readers() -> None:
    """From here on, stdout and stderr that nobody reads any more, or that were closed at the start, end no run.

    A closed one is opened on nothing: the next file would get its number, and with it what workers print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _lead_nowhere(number)
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "replace")
    buffer = io.BufferedWriter(_Lasting(number))
    return io.TextIOWrapper(buffer, encoding=encoding, errors=errors, line_buffering=number == 2 or os.isatty(number))


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:  # it was the lowest one free
        os.set_inheritable(nowhere, True)
    else:
        os.dup2(nowhere, number)
        os.close(nowhere)
