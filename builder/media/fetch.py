"""A media file from an http(s) address of a stranger's table, to a file of one's own.

The address is looked up here, checked, and connected to as checked: a name that answers differently a moment later (DNS
rebinding), or a redirect to the inside, reaches nothing. For the same reason no proxy of the environment is used. Why
the standard library: a client that looks names up itself would have to be taken apart for this.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

from ..contract.errors import ClipError, Reason
from ..contract.urls import check_address, public_url
from .part import Part

TIMEOUT_S = 6 * 3600.0
"""Seconds that one file may take."""
_SLOW_S = 60
_SLOWEST = 10_000  # bytes a second, over so many seconds
_REDIRECTS = 5
_USER_AGENT = f"shotscribe/{version('shotscribe')}"  # libraries' own names are refused by many servers
_CHUNK = 1 << 20
_REASONS = {
    401: Reason.DENIED,
    403: Reason.DENIED,
    404: Reason.HTTP_404,
    410: Reason.REMOVED,
    429: Reason.THROTTLED,
    451: Reason.GEO_BLOCKED,
}
_BUSY = (408, 425, 429)
_NEVER = (501, 505)  # of the server's own errors, those that a later try meets again


class TryLater(ClipError):
    """The server or the way to it is at fault. `after_s`: how long the server asks to be left alone."""

    def __init__(self, reason: Reason, detail: str, after_s: float = 0.0) -> None:
        super().__init__(reason, detail, passing=True)
        self.after_s = after_s

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.rejection.reason, self.rejection.detail, self.after_s)


def fetch(
    url: str, target: Path, *, max_bytes: int = 16 << 30, timeout_s: float = TIMEOUT_S, allow_private: bool = False
) -> str:
    """Store what an address gives as `target`; the sha256 of its bytes. What an earlier try has left there is gone on
    from, where the server still has the same file (`part.py`); where this one fails it stays for the next, if there can
    be one.

    Every redirect is checked like the first address. User and password of the address go to its own server alone.
    `timeout_s` bounds the whole transfer, except looking a name up, which the system's resolver bounds; one that is
    slower than 10 kB/s for a minute ends too. `allow_private`: one's own machine and network too, but never link-local.

    Raises ClipError: refused, http_404, removed (410), denied (401, 403), geo_blocked (451), limit, timeout, unreadable
    (any other answer); TryLater: throttled (429), unreadable (a server's error, a broken connection). Raises OSError
    where the target cannot be written.
    """
    deadline = time.monotonic() + timeout_s
    part = Part(target)
    tag = part.tag
    try:
        with (
            target.open("ab" if tag else "wb") as file,
            _answered(url, _range(file.tell(), tag), deadline=deadline, allow_private=allow_private) as exchange,
        ):
            begins = exchange.begins(file.tell())
            if begins is None:
                part.drop()
                raise TryLater(Reason.UNREADABLE, f"{urlsplit(url).hostname}: gives another part than was asked for")
            file.truncate(begins)
            digest = _digest(target)
            part.begin(etag=exchange.header("ETag"), modified=exchange.header("Last-Modified"))
            for chunk in exchange.content(begins, max_bytes=max_bytes):
                file.write(chunk)
                digest.update(chunk)
    except TryLater:
        if part.tag is None:
            part.drop()
        raise
    except Exception:
        part.drop()
        raise
    part.done()
    return digest.hexdigest()


def _range(size: int, tag: str | None) -> dict[str, str]:
    """Headers that ask for what comes after so many bytes of the file that has this tag: or for all of another."""
    return {"Range": f"bytes={size}-", "If-Range": tag} if tag else {}


def _digest(path: Path) -> hashlib._Hash:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


@contextmanager
def _answered(url: str, headers: Mapping[str, str], *, deadline: float, allow_private: bool) -> Iterator[_Exchange]:
    """The exchange in which an address is answered, at the end of its redirects."""
    first = urlsplit(public_url(url, allow_private=allow_private))
    for _ in range(_REDIRECTS + 1):
        parts = urlsplit(public_url(url, allow_private=allow_private))
        login = _login(first) if _server(parts) == _server(first) else None
        with _Exchange(parts, login, deadline=deadline, allow_private=allow_private) as exchange:
            exchange.get(headers)
            where = exchange.header("Location")
            if not where or not 300 <= exchange.answer.status < 400:
                yield exchange
                return
        try:
            url = urljoin(url, where)
        except ValueError:
            raise ClipError(Reason.REFUSED, f"{parts.hostname}: redirect to a malformed address") from None
    raise ClipError(Reason.UNREADABLE, f"{first.hostname}: more than {_REDIRECTS} redirects")


def _server(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, _port(parts)


def _login(parts: SplitResult) -> str | None:
    """User and password of an address as HTTP's basic authorization."""
    if parts.username is None and parts.password is None:
        return None
    pair = unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")
    return "Basic " + base64.b64encode(pair).decode("ascii")


class _Exchange:
    """One request on one connection to a checked address, cut at the deadline. Use as a context manager."""

    answer: http.client.HTTPResponse

    def __init__(self, parts: SplitResult, login: str | None, *, deadline: float, allow_private: bool) -> None:
        self._parts, self._login = parts, login
        self._host = parts.hostname or ""
        self._deadline = deadline
        self._late = threading.Event()
        addresses = _addresses(self._host, _port(parts), allow_private=allow_private)
        self._http = http.client.HTTPConnection(self._host, parts.port)  # for its protocol: the socket is ours
        with self._network():
            self._socket = _connect(addresses, _port(parts), deadline=deadline)
        self._watch = self._watched(_SLOW_S)

    def _watched(self, seconds: float) -> threading.Timer:
        """Cut the connection then, or at the deadline: a limit for each read would let a server drip for ever."""
        watch = threading.Timer(max(0.0, min(seconds, self._deadline - time.monotonic())), self._cut)
        watch.daemon = True
        watch.start()
        return watch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._http.close()
        self._socket.close()

    def get(self, more: Mapping[str, str]) -> None:
        with self._network():
            if self._parts.scheme == "https":
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(
                    self._socket, server_hostname=self._host, do_handshake_on_connect=False
                )
                self._socket.do_handshake()
            self._http.sock = self._socket
            headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT, **more}
            if self._login:
                headers["Authorization"] = self._login
            self._http.request("GET", _request_target(self._parts), headers=headers)
            self.answer = self._http.getresponse()

    def header(self, name: str) -> str:
        """A header of the answer; "" where there is none."""
        return self.answer.getheader(name, "")

    def begins(self, kept: int) -> int | None:
        """Which byte of the file the answer begins with: `kept`, the first that is not there yet, or 0; None for one
        that was not asked for.
        """
        status = self.answer.status
        if status == 200:
            return 0
        if kept and status in (206, 416):
            first = re.match(r"bytes (\d{1,18})-", self.header("Content-Range"))
            return kept if status == 206 and first and int(first[1]) == kept else None
        reason = _REASONS.get(status, Reason.UNREADABLE)
        if status in _BUSY or (500 <= status < 600 and status not in _NEVER):
            raise TryLater(reason, f"{self._host}: HTTP {status}", _seconds(self.header("Retry-After")))
        advice = "; renew the login or the signature in the table, then use --retry denied"
        raise ClipError(reason, f"{self._host}: HTTP {status}{advice if reason is Reason.DENIED else ''}")

    def content(self, begins: int, *, max_bytes: int) -> Iterator[bytes]:
        """The bytes of the answer, a piece at a time."""
        answer = self.answer
        self._watch.cancel()
        self._watch = self._watched(math.inf)
        expected = None if answer.length is None else begins + answer.length  # as announced
        received = counted = begins
        since = time.monotonic()
        while True:
            with self._network():
                chunk = answer.read1(_CHUNK)  # what is there already: waiting for a whole piece would hide a drip
            received += len(chunk)
            if time.monotonic() - since >= _SLOW_S:
                if received - counted < _SLOWEST * _SLOW_S:
                    raise ClipError(
                        Reason.TIMEOUT, f"{self._host}: slower than {_SLOWEST // 1000} kB/s for {_SLOW_S} s"
                    )
                since, counted = time.monotonic(), received
            if max(received, expected or 0) > max_bytes:
                raise ClipError(Reason.LIMIT, f"{self._host}: more than {max_bytes} bytes")
            if not chunk:
                break
            yield chunk
        if expected is not None and received < expected:
            lost = f"{self._host}: connection lost after {received} of {expected} bytes"
            raise TryLater(Reason.UNREADABLE, lost)

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
                passing = isinstance(error, ssl.SSLEOFError | http.client.IncompleteRead) or (
                    isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
                )
                said = f"{self._host}: {type(error).__name__}"
                raise (TryLater if passing else ClipError)(Reason.UNREADABLE, said) from None
            self._late.set()
        if self._late.is_set():
            raise ClipError(Reason.TIMEOUT, f"{self._host}: not done in time")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a name. Raises ClipError: refused if any is not public, unreadable if there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        known = isinstance(error, UnicodeError) or error.errno == socket.EAI_NONAME
        said = "no such host" if known else "the name server does not answer"
        raise (ClipError if known else TryLater)(Reason.UNREADABLE, f"{host}: {said}") from None
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    for address in addresses:
        check_address(ipaddress.ip_address(address), allow_private=allow_private)
    return addresses


def _connect(addresses: list[str], port: int, *, deadline: float) -> socket.socket:
    """To the first address that answers. Raises OSError (TimeoutError at the deadline)."""
    failure: OSError = TimeoutError()
    for address in addresses:
        left = min(_SLOW_S, deadline - time.monotonic())  # of each read too
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            failure = error
    raise failure


def _seconds(retry_after: str) -> float:
    """What a Retry-After header asks for: seconds, or a date (RFC 9110); 0 where it makes no sense."""
    if re.fullmatch(r"\d{1,9}", retry_after):
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, until.timestamp() - time.time())


def _request_target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(target, safe="/%:=&?~#+!$,;'@()*[]")
