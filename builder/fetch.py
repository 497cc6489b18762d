"""A media file from an http(s) address of a stranger's table, to a file of one's own.

The address is looked up here, checked, and connected to as checked: a name that answers differently a moment later (DNS
rebinding), or a redirect to the inside, reaches nothing. For the same reason no proxy of the environment is used. Why
the standard library: a client that looks names up itself would have to be taken apart for this.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .errors import ClipError, Reason
from .places import check_address, public_url

_REDIRECTS = 5
_CHUNK = 1 << 20
_GONE = (404, 410)


def fetch(
    url: str, target: Path, *, max_bytes: int = 4 << 30, timeout_s: float = 600.0, allow_private: bool = False
) -> None:
    """Store what an address gives as `target`, which appears whole or not at all.

    Every redirect is checked like the first address. `timeout_s` bounds the whole transfer, except looking a name up,
    which the system's resolver bounds. `allow_private`: one's own machine and network too, but never link-local.

    Raises ClipError: refused, missing_file (404, 410), limit, timeout, unreadable (any other answer, a broken
    connection). Raises OSError where the target cannot be written.
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
        with _Exchange(parts, deadline=deadline, allow_private=allow_private) as exchange:
            answer = exchange.get()
            where = answer.headers.get("Location")
            if where is None or not 300 <= answer.status < 400:
                exchange.store(answer, file, max_bytes=max_bytes)
                return
        try:
            url = urljoin(url, where)
        except ValueError as error:
            raise ClipError(Reason.REFUSED, f"{parts.hostname}: redirect to a malformed address: {error}") from None
    raise ClipError(Reason.UNREADABLE, f"more than {_REDIRECTS} redirects")


class _Exchange:
    """One request on one connection to a checked address, cut at the deadline. Use as a context manager."""

    def __init__(self, parts: SplitResult, *, deadline: float, allow_private: bool) -> None:
        self._parts = parts
        self._host = parts.hostname or ""
        self._deadline = deadline
        self._late = threading.Event()
        addresses = _addresses(self._host, _port(parts), allow_private=allow_private)
        self._http = http.client.HTTPConnection(self._host, parts.port)  # for its protocol: the socket is ours
        with self._network():
            self._socket = _connect(addresses, _port(parts), deadline=deadline)
        # A limit for each read alone would let a server drip a byte at a time for ever.
        self._watch = threading.Timer(max(0.0, deadline - time.monotonic()), self._cut)
        self._watch.daemon = True

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._http.close()
        self._socket.close()

    def get(self) -> http.client.HTTPResponse:
        with self._network():
            if self._parts.scheme == "https":
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(
                    self._socket, server_hostname=self._host, do_handshake_on_connect=False
                )
                self._socket.do_handshake()
            self._http.sock = self._socket
            self._http.request("GET", _request_target(self._parts), headers={"Accept-Encoding": "identity"})
            return self._http.getresponse()

    def store(self, answer: http.client.HTTPResponse, file: BinaryIO, *, max_bytes: int) -> None:
        if answer.status != 200:
            reason = Reason.MISSING_FILE if answer.status in _GONE else Reason.UNREADABLE
            raise ClipError(reason, f"{self._host}: HTTP {answer.status}")
        expected, received = answer.length, 0  # the length as announced, None where it is not
        while True:
            with self._network():
                chunk = answer.read(_CHUNK)
            received += len(chunk)
            if max(received, expected or 0) > max_bytes:
                raise ClipError(Reason.LIMIT, f"{self._host}: more than {max_bytes} bytes")
            if not chunk:
                break
            file.write(chunk)
        if expected is not None and received < expected:
            raise ClipError(Reason.UNREADABLE, f"{self._host}: connection lost after {received} of {expected} bytes")

    def _cut(self) -> None:
        self._late.set()
        with suppress(OSError):  # closed already
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # an SSLSocket's own would forget its state

    @contextmanager
    def _network(self) -> Iterator[None]:
        """What breaks on the network is the clip's error; what breaks on this machine's disk is not."""
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._late.is_set() and not isinstance(error, TimeoutError):
                raise ClipError(Reason.UNREADABLE, f"{self._host}: {type(error).__name__}") from None
            self._late.set()
        if self._late.is_set():
            raise ClipError(Reason.TIMEOUT, f"{self._host}: not done in time")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a name. Raises ClipError: refused if any is not public, unreadable if there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ClipError(Reason.UNREADABLE, f"{host}: no such host") from None
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    for address in addresses:
        check_address(ipaddress.ip_address(address), allow_private=allow_private)
    return addresses


def _connect(addresses: list[str], port: int, *, deadline: float) -> socket.socket:
    """To the first address that answers. Raises OSError (TimeoutError at the deadline)."""
    failure: OSError = TimeoutError()
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            failure = error
    raise failure


def _request_target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(target, safe="/%:=&?~#+!$,;'@()*[]")
