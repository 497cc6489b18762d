from __future__ import annotations

import hashlib
import http.server
import ipaddress
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.errors import ClipError, Reason, Rejection
from shotscribe.builder.contract.urls import check_address
from shotscribe.builder.media.fetch import fetch

BODY = bytes(range(256)) * 8192  # 2 MiB


class Handler(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]  # a list that the fixture put there
        self.server.logins.append(self.headers["Authorization"])  # type: ignore[attr-defined]
        kind, _, rest = self.path[1:].partition("/")
        getattr(self, f"give_{kind}", self.give_status)(rest)

    def give_file(self, rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def give_endless(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(BODY)

    def give_short(self, rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def give_status(self, rest: str) -> None:
        self.send_response(int(rest or 404))
        self.end_headers()

    def give_to(self, rest: str) -> None:
        self.send_response(302)
        self.send_header("Location", rest)
        self.end_headers()

    def give_loop(self, rest: str) -> None:
        self.give_to("/loop/x")

    def give_drip(self, rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X")
            self.wfile.flush()
            time.sleep(0.05)

    def give_trickle(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"X")
            time.sleep(0.05)

    def give_reset(self, rest: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    seen: list[str]
    logins: list[str | None]

    def handle_error(self, *args: Any) -> None:
        pass  # clients that go away are what is tested


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.seen, server.logins = [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def at(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{path}"


def rejection_of(url: str, target: Path, **options: Any) -> Rejection:
    """Why a fetch fails; nothing may be left of it."""
    with pytest.raises(ClipError) as raised:
        fetch(url, target, allow_private=True, **options)
    assert list(target.parent.iterdir()) == []
    return raised.value.rejection


def reason_of(url: str, target: Path, **options: Any) -> Reason:
    return rejection_of(url, target, **options).reason


def test_a_file(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    digest = fetch(at(server, "file/a%20b.mp4?x=1#t"), target, allow_private=True)
    assert target.read_bytes() == BODY
    assert digest == hashlib.sha256(BODY).hexdigest()
    assert server.seen == ["/file/a%20b.mp4?x=1"]
    assert list(target.parent.iterdir()) == [target]


def test_redirects_that_stay_allowed(server: Server, tmp_path: Path) -> None:
    fetch(at(server, f"to//to/{at(server, 'file/b')}"), tmp_path / "a.mp4", allow_private=True)
    assert (tmp_path / "a.mp4").read_bytes() == BODY


def test_a_login_is_for_its_own_server_alone(server: Server, tmp_path: Path) -> None:
    with Server(("127.0.0.1", 0), Handler) as other:
        other.seen, other.logins = [], []
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        own, there = at(server, f"to/{at(other, 'file/b')}"), at(server, "to//file/a")
        for url in (own, there):
            fetch(url.replace("//", "//me:p%40ss@", 1), tmp_path / "a.mp4", allow_private=True)
        other.shutdown()
    assert server.logins == ["Basic bWU6cEBzcw=="] * 3
    assert other.logins == [None]


@pytest.mark.parametrize("path", ["drip/a", "trickle/a"])
def test_a_server_that_drips(server: Server, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers or content, a byte at a time: not until the last deadline."""
    monkeypatch.setattr("shotscribe.builder.media.fetch._SLOW_S", 0.3)
    began = time.monotonic()
    assert reason_of(at(server, path), tmp_path / "a.mp4", timeout_s=60) is Reason.TIMEOUT
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "where",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "//169.254.169.254/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "http://0.0.0.0/",
        "http://[::1/",
    ],
)
def test_redirects_that_are_refused(server: Server, tmp_path: Path, where: str) -> None:
    assert reason_of(at(server, f"to/{where}"), tmp_path / "a.mp4", timeout_s=5) is Reason.REFUSED


def test_nothing_private_unless_allowed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(url: str) -> bool:
        with pytest.raises(ClipError) as raised:
            fetch(url, tmp_path / "a.mp4", timeout_s=5)
        return raised.value.rejection.reason is Reason.REFUSED

    assert refused(at(server, "file/a"))
    assert refused(f"http://localhost:{server.server_port}/file/a")

    def resolve(host: str, port: int, **options: Any) -> list[Any]:  # a public name that leads inside
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert refused(f"http://rebind.example.com:{server.server_port}/file/a")
    assert server.seen == []


def test_a_name_is_looked_up_once(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is connected to: a second answer is never asked for."""
    answers = iter(["127.0.0.1"])
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        return real(next(answers) if host == "flip.example.com" else host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    fetch(f"http://flip.example.com:{server.server_port}/file/a", tmp_path / "a.mp4", allow_private=True)
    assert (tmp_path / "a.mp4").read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "reason", "passing"),
    [
        ("status/404", Reason.HTTP_404, False),
        ("status/410", Reason.REMOVED, False),
        ("status/401", Reason.DENIED, False),
        ("status/403", Reason.DENIED, False),
        ("status/451", Reason.GEO_BLOCKED, False),
        ("status/429", Reason.THROTTLED, True),
        ("status/500", Reason.UNREADABLE, True),
        ("status/501", Reason.UNREADABLE, False),
        ("status/503", Reason.UNREADABLE, True),
        ("status/204", Reason.UNREADABLE, False),
        ("status/304", Reason.UNREADABLE, False),
        ("loop/x", Reason.UNREADABLE, False),
        ("short/x", Reason.UNREADABLE, True),
        ("reset/x", Reason.UNREADABLE, True),
    ],
)
def test_answers_that_are_no_file(server: Server, tmp_path: Path, path: str, reason: Reason, passing: bool) -> None:
    """A server that is busy or breaks off says nothing about the file."""
    rejection = rejection_of(at(server, path), tmp_path / "a.mp4", timeout_s=10)
    assert (rejection.reason, rejection.passing) == (reason, passing)


@pytest.mark.parametrize("path", ["file/a", "endless/a"])
def test_too_large(server: Server, tmp_path: Path, path: str) -> None:
    assert reason_of(at(server, path), tmp_path / "a.mp4", max_bytes=len(BODY) - 1) is Reason.LIMIT


def test_just_large_enough(server: Server, tmp_path: Path) -> None:
    fetch(at(server, "file/a"), tmp_path / "a.mp4", max_bytes=len(BODY), allow_private=True)
    assert (tmp_path / "a.mp4").stat().st_size == len(BODY)


@pytest.mark.parametrize("path", ["drip/a", "endless/a"])
def test_the_deadline_holds_whatever_is_sent(server: Server, tmp_path: Path, path: str) -> None:
    began = time.monotonic()
    reason = reason_of(at(server, path), tmp_path / "a.mp4", timeout_s=0.5, max_bytes=1 << 40)
    assert reason is Reason.TIMEOUT
    assert time.monotonic() - began < 5


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        assert reason_of(url, tmp_path / "a.mp4", timeout_s=0.3) is Reason.TIMEOUT
        assert reason_of(url.replace("http", "https"), tmp_path / "a.mp4", timeout_s=0.3) is Reason.TIMEOUT


def test_no_server_and_no_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    refused = rejection_of(f"http://127.0.0.1:{port}/", tmp_path / "a.mp4")
    assert (refused.reason, refused.passing) == (Reason.UNREADABLE, True)
    assert reason_of(f"http://{'a' * 70}.example/", tmp_path / "a.mp4") is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("error", "passing"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True), (socket.EAI_FAIL, True)]
)
def test_a_name_server_that_does_not_answer_says_nothing_about_the_name(
    error: int, passing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(error, "as the system says it")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    rejection = rejection_of("http://example.com/a.mp4", tmp_path / "a.mp4")
    assert (rejection.reason, rejection.passing) == (Reason.UNREADABLE, passing)


def test_an_untrusted_certificate(server: Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    try:
        subprocess.run(
            [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("no openssl command")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = at(server, "file/a").replace("http", "https")
    assert reason_of(url, tmp_path / "a.mp4", timeout_s=10) is Reason.UNREADABLE
    assert server.seen == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
        fetch(url, tmp_path / "a.mp4", allow_private=True, timeout_s=10)
    assert (tmp_path / "a.mp4").read_bytes() == BODY


def test_a_disk_that_takes_no_more_is_not_the_clips_fault(server: Server, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BODY) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch(at(server, "file/a"), tmp_path / "a.mp4", allow_private=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def passes(address: Any, *, allow_private: bool = False) -> bool:
    try:
        check_address(address, allow_private=allow_private)
    except ClipError:
        return False
    return True


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(addresses, st.booleans())
def test_only_public_addresses_pass(address: Any, allow_private: bool) -> None:
    if passes(address, allow_private=allow_private):
        assert not address.is_link_local
        assert not address.is_multicast
        assert address.is_global or allow_private


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    packed = int(address)
    disguises = [
        ipaddress.IPv6Address((0xFFFF << 32) | packed),
        ipaddress.IPv6Address((0x64FF9B << 96) | packed),
        ipaddress.IPv6Address((0x2002 << 112) | (packed << 80)),
    ]
    assert {passes(disguise) for disguise in disguises} == {passes(address)}


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "93.184.216.34"])
def test_public_addresses(address: str) -> None:
    assert passes(ipaddress.ip_address(address))
