"""A file that comes in parts is the file: whatever breaks off, lies or changes in between."""

from __future__ import annotations

import hashlib
import http.server
import random
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.media.fetch import TryLater, _seconds, fetch
from shotscribe.builder.media.part import Part

BODY = random.Random(0).randbytes(300_000)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        behaviour = self.server.behaviours.pop(0) if self.server.behaviours else {}
        body, tag = self.server.body, behaviour.get("tag", self.server.tag)
        status, begin = 200, 0
        if asked and self.headers["If-Range"] == tag and not behaviour.get("whole"):
            status, begin = 206, int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(body) or "status" in behaviour:
            self.send_response(behaviour.get("status", 416))
            self.send_header("Retry-After", behaviour.get("after", ""))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = body[begin:]
        self.send_response(status)
        if tag:
            self.send_header("ETag" if tag.endswith('"') else "Last-Modified", tag)
        if status == 206:
            first = begin + behaviour.get("off", 0)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(rest) + behaviour.get("lie", 0)))
        self.end_headers()
        self.wfile.write(rest[: behaviour.get("stop", len(rest))])

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    body: bytes = BODY
    tag: str | None = '"one"'
    behaviours: list[dict[str, Any]]
    asked: list[str | None]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.behaviours, server.asked = [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tried(server: Server, target: Path, *, tries: int) -> str:
    """The digest that comes of asking again, as a run does."""
    for _ in range(tries - 1):
        with pytest.raises(TryLater):
            once(server, target)
    return once(server, target)


def once(server: Server, target: Path) -> str:
    return fetch(f"http://127.0.0.1:{server.server_port}/a", target, allow_private=True, timeout_s=20)


def assert_whole(server: Server, target: Path, digest: str) -> None:
    assert target.read_bytes() == server.body
    assert digest == hashlib.sha256(server.body).hexdigest()
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("tag", ['"one"', formatdate(usegmt=True)], ids=["ETag", "Last-Modified"])
def test_only_the_rest_is_asked_for(server: Server, tmp_path: Path, tag: str) -> None:
    server.tag, server.behaviours = tag, [{"stop": 100_000}, {"stop": 50_000}]
    digest = tried(server, tmp_path / "a", tries=3)
    assert_whole(server, tmp_path / "a", digest)
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("tag", [None, 'W/"one"'])
def test_without_a_tag_it_is_begun_anew(server: Server, tmp_path: Path, tag: str | None) -> None:
    server.tag, server.behaviours = tag, [{"stop": 100_000}]
    with pytest.raises(TryLater):
        once(server, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    assert_whole(server, tmp_path / "a", once(server, tmp_path / "a"))
    assert server.asked == [None, None]


def test_another_file_by_now_is_taken_whole(server: Server, tmp_path: Path) -> None:
    server.behaviours = [{"stop": 100_000}]
    with pytest.raises(TryLater):
        once(server, tmp_path / "a")
    server.body, server.tag = BODY[::-1], '"two"'
    assert_whole(server, tmp_path / "a", once(server, tmp_path / "a"))


@pytest.mark.parametrize("answer", [{"off": 7}, {"off": -100_000}, {"status": 416}])
def test_a_part_that_was_not_asked_for_is_no_rest(server: Server, tmp_path: Path, answer: dict[str, Any]) -> None:
    server.behaviours = [{"stop": 100_000}, answer]
    digest = tried(server, tmp_path / "a", tries=3)
    assert_whole(server, tmp_path / "a", digest)
    assert server.asked == [None, "bytes=100000-", None]


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.behaviours = [{"stop": 100_000}, {"whole": True}]
    assert_whole(server, tmp_path / "a", tried(server, tmp_path / "a", tries=2))


def test_a_length_that_is_a_lie(server: Server, tmp_path: Path) -> None:
    """Of what is announced some never comes: what has come is not taken for the file."""
    server.behaviours = [{"lie": 10}, {}]
    digest = tried(server, tmp_path / "a", tries=3)  # what is beyond the end cannot be had: begun anew
    assert_whole(server, tmp_path / "a", digest)
    assert server.asked == [None, f"bytes={len(BODY)}-", None]


def test_what_cannot_be_had_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.behaviours = [{"stop": 100_000}, {"status": 404}]
    with pytest.raises(TryLater):
        once(server, tmp_path / "a")
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ClipError) as raised:
        once(server, tmp_path / "a")
    assert raised.value.rejection.reason is Reason.HTTP_404
    assert list(tmp_path.iterdir()) == []


def test_it_says_how_long_it_wants_to_be_left_alone(server: Server, tmp_path: Path) -> None:
    server.behaviours = [{"status": 429, "after": "7"}]
    with pytest.raises(TryLater) as raised:
        once(server, tmp_path / "a")
    assert (raised.value.after_s, raised.value.rejection.reason) == (7.0, Reason.THROTTLED)
    assert 50 < _seconds(formatdate(time.time() + 60, usegmt=True)) <= 61
    assert [_seconds(text) for text in ("", "soon", "-3", "1e9", "12", "Sun, 06 Nov 1994 08:49:37 GMT")] == [
        *(0.0, 0.0, 0.0, 0.0, 12.0, 0.0),
    ]


def test_breaks_wherever_they_fall(server: Server, tmp_path: Path) -> None:
    rng = random.Random(5)
    server.behaviours = [{"stop": rng.randrange(1, 40_000)} for _ in range(20)]
    digest, tries = "", 0
    while not digest:
        tries += 1
        try:
            digest = once(server, tmp_path / "a")
        except TryLater:
            assert Part(tmp_path / "a").tag == '"one"'
    assert tries > 10
    assert_whole(server, tmp_path / "a", digest)


@pytest.mark.parametrize("damage", ["no tag", "tag of nonsense", "no file", "empty file"])
def test_a_part_that_was_tampered_with_is_begun_anew(server: Server, tmp_path: Path, damage: str) -> None:
    server.behaviours = [{"stop": 100_000}]
    with pytest.raises(TryLater):
        once(server, tmp_path / "a")
    note = tmp_path / "a.tag"
    if damage == "no tag":
        note.unlink()
    elif damage == "tag of nonsense":
        note.write_bytes(b"\xff\r\nHost: elsewhere")
    elif damage == "no file":
        (tmp_path / "a").unlink()
    else:
        (tmp_path / "a").write_bytes(b"")
    assert_whole(server, tmp_path / "a", once(server, tmp_path / "a"))
    assert server.asked == [None, None]
