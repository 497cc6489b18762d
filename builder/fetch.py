"""A media file from an http(s) address of a stranger's table, to a file of one's own.

The address is resolved here, checked, and connected to as checked: a name that answers differently a moment later (DNS
rebinding), or a redirect to the inside, reaches nothing. So no proxy of the environment is used. Why the standard
library: an HTTP client that looks names up itself would have to be taken apart for this.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .errors import ClipError, Reason
from .places import check_address, public_url

_REDIRECTS = 5
_CHUNK = 1 << 20
_GONE = (404, 410, 451)


def fetch(
    url: str, target: Path, *, max_bytes: int = 4 << 30, timeout_s: float = 600.0, allow_private: bool = False
) -> None:
    """Store what an address gives as `target`, which appears whole or not at all.

    Every redirect is checked like the first address. `timeout_s` bounds the whole transfer, except the look-up of a name,
    which the system's resolver bounds. `allow_private`: one's own machine and network too, but never link-local.

    Raises ClipError: refused, missing_file (404, 410), limit, timeout, unreadable (any other answer, broken connections).
    OSError when the target cannot be written.
    """
    deadline = time.monotonic() + timeout_s
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".fetch-", suffix=".part")
    part = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  (a descriptor)
            _follow(url, file, max_bytes=max_bytes, deadline=deadline, allow_private=allow_private)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _follow(url: str, file: BinaryIO, *, max_bytes: int, deadline: float, allow_private: bool) -> None:
    for _ in range(_REDIRECTS + 1):
        parts = urlsplit(public_url(url, allow_private=allow_private))
        with _answer(parts, deadline=deadline, allow_private=allow_private) as answer:
            where = answer.headers.get("Location")
            if 300 <= answer.status < 400 and where:
                url = urljoin(url, where)
                continue
            if answer.status != 200:
                reason = Reason.MISSING_FILE if answer.status in _GONE else Reason.UNREADABLE
                raise ClipError(reason, f"HTTP {answer.status} from {parts.hostname}")
            _store(answer, file, max_bytes=max_bytes)
            return
    raise ClipError(Reason.UNREADABLE, f"more than {_REDIRECTS} redirects")


@contextmanager
def _answer(
    parts: SplitResult, *, deadline: float, allow_private: bool
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET. Whatever breaks on the way is a ClipError, also while the caller reads."""
    host = parts.hostname or ""
    late = threading.Event()
    connection = http.client.HTTPConnection(host, parts.port)  # only its protocol: the socket is ours
    with _as_clip_errors(host, late=late), _socket(parts, deadline=deadline, allow_private=allow_private) as wire:
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, (wire, late))
        watch.daemon = True
        watch.start()  # a per-read limit alone lets a server drip a byte at a time for ever
        try:
            connection.sock = wire if parts.scheme == "http" else _encrypted(wire, host)
            connection.request("GET", _request_target(parts), headers={"Accept-Encoding": "identity"})
            with connection.getresponse() as answer:
                yield answer
        finally:
            watch.cancel()
            connection.close()


@contextmanager
def _as_clip_errors(host: str, *, late: threading.Event) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise ClipError(Reason.TIMEOUT, f"{host}: not done in time") from None
        raise ClipError(Reason.UNREADABLE, f"{host}: {type(error).__name__}: {error}") from None
