"""Tables of addresses: one fetch a file, nothing kept that is no video, whatever the server does."""

from __future__ import annotations

import csv
import http.server
import io
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from shotscribe.builder.build import Built, build
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.progress import Progress
from shotscribe.builder.run.download import _DOWN

HOST = "media.example.com"
RECIPE = """\
name: fetched
version: "1"
sources: [{sources}]
steps:
  - {{use: luma}}
  - {{use: signals}}
publish: {{caption: caption}}
decode: {{timeout_s: 20}}
run: {{workers: 1, max_reject_rate: {rate}}}
"""
SITE = f"""\
# every process of the run: the example's host is this machine, by way of an address that is public
import socket
look_up, connect = socket.getaddrinfo, socket.create_connection
def getaddrinfo(host, port, *args, **options):
    return look_up("8.8.8.8" if host == "{HOST}" else host, port, *args, **options)
def create_connection(address, *args, **options):
    host, port = address
    return connect(("127.0.0.1" if host == "8.8.8.8" else host, port), *args, **options)
socket.getaddrinfo, socket.create_connection = getaddrinfo, create_connection
"""


class Server(http.server.ThreadingHTTPServer):
    """Serves `bodies` by path, or `status` where it is set; counts what was asked for, and keeps the headers."""

    daemon_threads = True
    bodies: dict[str, bytes]
    asked: Counter[str]
    headers: list[dict[str, str]]
    hanging: threading.Event
    status: int | None = None
    busy = 0
    """How many requests more are told to come back in a second."""
    breaks = 0
    """How many answers more end in the middle."""
    at_once = most_at_once = 0
    counting = threading.Lock()
    takes_s = 0.0
    """How long an answer takes."""

    def handle_error(self, *args: Any) -> None:
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked[path] += 1
        self.server.headers.append(dict(self.headers))
        if path == "/hangs.mp4":
            self.server.hanging.set()
            time.sleep(60)
        with self.server.counting:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.at_once, self.server.most_at_once)
        time.sleep(self.server.takes_s)
        self.answer(path, done=self.done)

    def done(self) -> None:
        """Before the last byte: a client that has it may ask for the next file at once."""
        with self.server.counting:
            self.server.at_once -= 1

    def answer(self, path: str, *, done: Callable[[], None]) -> None:
        body = None if self.server.status else self.server.bodies.get(path)
        status = self.server.status or (200 if body is not None else 404)
        body = body or b""
        if self.server.busy:
            self.server.busy -= 1
            status, body = 429, b""
        if status == 200 and (asked := self.headers["Range"]):
            status, body = 206, body[int(asked[6:-1]) :]
        self.send_response(status)
        self.send_header("Retry-After", "1")
        self.send_header("ETag", '"one"')
        if status == 206:
            self.send_header("Content-Range", f"{asked[:5]} {asked[6:]}")
        self.send_header("Content-Length", str(len(body)))
        done()
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.breaks else body)
        self.server.breaks = max(0, self.server.breaks - 1)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def clip_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
) -> list[bytes]:
    folder = tmp_path_factory.mktemp("served")
    return [encode(folder / f"{seed}.mp4", moving(60, seed=seed)).read_bytes() for seed in range(2)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shotscribe.builder.run.download._PAUSE_S", 0.05)


@pytest.fixture
def server(clip_bytes: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    with Server(("127.0.0.1", 0), Handler) as server:
        server.bodies = {"/a.mp4": clip_bytes[0], "/b.mp4": clip_bytes[1]}
        server.asked, server.headers, server.hanging = Counter(), [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def table(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("url", "start", "end", "text"), *rows])
    return path


def recipe(folder: Path, *tables: Path, rate: float = 1.0) -> Path:
    sources = ", ".join(f"{{use: table, path: {one.name}, label: {one.stem}, license: cc0-1.0}}" for one in tables)
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(sources=sources, rate=rate))
    return path


def address(server: Server, path: str, *, login: str = "") -> str:
    return f"http://{login}{HOST}:{server.server_port}/{path}"


def run(path: Path, *retry: str) -> Built:
    """Build beside the recipe."""
    return build(path, out=path.parent / "out", retry=retry, progress=Progress(Console(file=io.StringIO())))


def rejects(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "rejects.parquet").to_pylist()
    return rows


def fetched(tmp_path: Path) -> list[Path]:
    """The media files that are kept."""
    return sorted((tmp_path / "out" / ".work" / "media").glob("?" * 32))


def forget(tmp_path: Path) -> None:
    """As somebody does who needs the space."""
    for path in fetched(tmp_path):
        path.unlink()


def change(path: Path, before: str, after: str) -> None:
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_one_fetch_an_address(server: Server, tmp_path: Path) -> None:
    """However many clips it has, in however many sources; nothing is fetched again for what is stored."""
    first = table(tmp_path / "one.csv", [(address(server, "a.mp4"), at / 10, at / 10 + 1, "x") for at in range(9)])
    second = table(tmp_path / "two.csv", [(address(server, "a.mp4"), 0, 1, "y"), (address(server, "b.mp4"), 0, 2, "z")])
    path, shown = recipe(tmp_path, first, second), io.StringIO()
    built = build(path, out=tmp_path / "out", progress=Progress(Console(file=shown)))
    assert built.record["rows"] == 11
    assert server.asked == {"/a.mp4": 1, "/b.mp4": 1}
    assert all(headers["User-Agent"].startswith("shotscribe/") for headers in server.headers)
    assert "download: 2 of 2 files" in shown.getvalue()
    assert "MB/s" in shown.getvalue()
    assert run(path).reused

    change(path, "luma}", "luma, min_luma: 0.01}")
    change(path, "caption: caption", "caption: caption, media: reference")
    forget(tmp_path)
    assert run(path).record["rows"] == 11
    assert server.asked == {"/a.mp4": 1, "/b.mp4": 1}
    assert fetched(tmp_path) == []


def test_what_is_no_video_is_thrown_away_and_fetched_anew(
    server: Server, clip_bytes: list[bytes], tmp_path: Path
) -> None:
    """A page of HTML with status 200 stands for no clip; `--retry` asks for it again, and for what was missing."""
    server.bodies["/a.mp4"] = b"<html>come back later</html>" * 50
    del server.bodies["/b.mp4"]
    rows = [(address(server, f"{name}.mp4"), 0, end, "x") for name in "ab" for end in (1, 2)]
    path = recipe(tmp_path, table(tmp_path / "one.csv", rows))
    with pytest.raises(RunError, match="2 by probe \\(http_404\\), 2 by probe \\(unreadable\\)"):
        run(path)
    assert server.asked == {"/a.mp4": 1, "/b.mp4": 1}
    assert list((tmp_path / "out" / ".work" / "media").iterdir()) == []
    assert all(HOST in row["detail"] for row in rejects(tmp_path / "out" / ".work"))

    server.bodies.update({"/a.mp4": clip_bytes[0], "/b.mp4": clip_bytes[1]})
    with pytest.raises(RunError):
        run(path)
    assert sum(server.asked.values()) == 2, "what failed is not asked for again"
    assert run(path, "unreadable", "http_404").record["rows"] == 4
    assert server.asked == {"/a.mp4": 2, "/b.mp4": 2}


def test_a_file_that_went_bad_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    """By `--retry` of what it fails for; the other clips of the address need nothing."""
    path = recipe(tmp_path, table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x")]), rate=0.0)
    run(path)
    (media,) = fetched(tmp_path)
    media.write_bytes(b"rotten")
    table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x"), (address(server, "a.mp4"), 1, 2, "y")])
    with pytest.raises(RunError, match="1 unreadable"):
        run(path)
    assert server.asked == {"/a.mp4": 1}
    body = server.bodies.pop("/a.mp4")
    with pytest.raises(RunError, match="1 http_404"):
        run(path, "unreadable")
    assert media.exists(), "nothing is given up before there is better"
    server.bodies["/a.mp4"] = body
    assert run(path, "http_404").record["rows"] == 2
    assert media.read_bytes() == body


def test_another_file_is_not_taken_for_the_one_that_was_measured(
    server: Server, clip_bytes: list[bytes], tmp_path: Path
) -> None:
    path = recipe(tmp_path, table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x")]))
    run(path)
    forget(tmp_path)
    change(path, "- {use: signals}", "- {use: blur}\n  - {use: signals}")
    run(path)
    assert server.asked == {"/a.mp4": 2}, "a new step needs the file again"

    forget(tmp_path)
    server.bodies["/a.mp4"] = clip_bytes[1]
    change(path, "- {use: signals}", "- {use: motion}\n  - {use: signals}")
    with pytest.raises(RunError, match="1 by motion"):
        run(path)
    (row,) = rejects(tmp_path / "out" / ".work")
    assert (row["step"], row["reason"]) == ("motion", "unreadable")
    assert "another file now" in row["detail"]
    table(tmp_path / "one.csv", [(address(server, "a.mp4#2"), 0, 1, "x")])  # as the message says
    assert run(path).record["rows"] == 1


def test_what_gives_access_is_used_and_never_published(server: Server, tmp_path: Path) -> None:
    """A new signature is no new clip, and fetches nothing; of user, password, signature and token there is no trace."""
    signed = address(server, "a.mp4?versionId=3&X-Amz-Credential=CREDENT%2Fial&X-Amz-Signature=51gn", login="me:pa55@")
    rows = [(signed, 0, 1, "x"), (signed, 1, 2, "y"), (address(server, "gone.mp4?access_token=70ken"), 0, 1, "z")]
    path = recipe(tmp_path, table(tmp_path / "one.csv", rows))
    first = run(path)
    assert first.record["rows"] == 2
    assert server.asked == {"/a.mp4": 1, "/gone.mp4": 1}
    assert {headers.get("Authorization") for headers in server.headers} == {"Basic bWU6cGE1NQ==", None}
    out = tmp_path / "out"
    (metadata,) = (out / "metadata").iterdir()
    columns = pq.read_table(metadata).select(["clip_id", "source_id", "source_url"]).to_pydict()
    assert set(columns["source_id"] + columns["source_url"]) == {address(server, "a.mp4?versionId=3")}
    published = [one for one in out.rglob("*") if one.is_file() and ".work" not in one.parts]
    for secret in (b"CREDENT", b"51gn", b"pa55", b"70ken", b"me:pa"):
        assert not [one for one in published if secret in one.read_bytes()]
    assert [row["source_id"] for row in rejects(out)] == [address(server, "gone.mp4")]

    table(tmp_path / "one.csv", [(address(server, f"a.mp4?token={at}"), 0, 1, "x") for at in (1, 2)])
    (row,) = (run(path), rejects(out))[1]
    assert (row["reason"], "but for a token" in row["detail"]) == ("bad_row", True)

    anew = signed.replace("51gn", "4n0ther").replace("me:pa55", "you:too")
    table(tmp_path / "one.csv", [(anew, *row[1:]) for row in rows[:2]])
    run(path)
    assert pq.read_table(metadata).column("clip_id").to_pylist() == columns["clip_id"]
    assert server.asked == {"/a.mp4": 2, "/gone.mp4": 1}, "once for a token, which may name another file"


def test_media_that_vanished_is_fetched_for_what_is_still_to_be_cut(server: Server, tmp_path: Path) -> None:
    path = recipe(tmp_path, table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x")]))
    change(path, "caption}", "caption, media: reference}")
    run(path)
    forget(tmp_path)
    change(path, "media: reference", "media: embed")
    assert run(path).record["rows"] == 1
    assert server.asked == {"/a.mp4": 2}


def test_a_server_that_was_down_is_asked_again_by_the_same_command(server: Server, tmp_path: Path) -> None:
    rows = [(address(server, f"{name}.mp4"), 0, 1, name) for name in ("a", "b", "gone")]
    path = recipe(tmp_path, table(tmp_path / "one.csv", rows), rate=0.9)
    server.status = 503
    with pytest.raises(RunError, match="3 unreadable"):
        run(path)
    server.status = None
    assert run(path).record["rows"] == 2
    assert server.asked == {"/a.mp4": 5, "/b.mp4": 5, "/gone.mp4": 5}
    assert run(path).reused, "what the server said of the third one stands"
    assert server.asked["/gone.mp4"] == 5


def test_a_server_that_breaks_off_is_asked_for_the_rest(
    server: Server, clip_bytes: list[bytes], tmp_path: Path
) -> None:
    server.breaks = 3
    path = recipe(tmp_path, table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x")]))
    assert run(path).record["rows"] == 1
    (media,) = fetched(tmp_path)
    assert media.read_bytes() == clip_bytes[0]
    size = len(clip_bytes[0])
    begun = [0, size // 2, size // 2 + (size - size // 2) // 2]
    asked = [headers.get("Range") for headers in server.headers]
    assert asked[:3] == [None, *(f"bytes={at}-" for at in begun[1:])]
    assert len(asked) == 4
    assert {one.name for one in media.parent.iterdir()} == {media.name, f"{media.name}.sha256"}


def test_a_server_that_is_busy_is_left_alone_as_long_as_it_says(server: Server, tmp_path: Path) -> None:
    server.busy = 2
    path = recipe(tmp_path, table(tmp_path / "one.csv", [(address(server, "a.mp4"), 0, 1, "x")]))
    began = time.monotonic()
    assert run(path).record["rows"] == 1
    assert time.monotonic() - began >= 2
    assert server.asked == {"/a.mp4": 3}


def test_a_server_that_is_down_is_not_asked_again_and_again(server: Server, tmp_path: Path) -> None:
    rows = [(address(server, f"{number}.mp4"), 0, 1, "x") for number in range(40)]
    server.status = 502
    with pytest.raises(RunError, match=r"40 by probe \(unreadable\)"):
        run(recipe(tmp_path, table(tmp_path / "one.csv", rows)))
    assert 40 <= server.asked.total() <= 40 + 2 * _DOWN


def test_no_host_gets_more_connections_than_it_may(server: Server, tmp_path: Path) -> None:
    server.takes_s = 0.3
    server.bodies |= {f"/{number}.mp4": server.bodies["/a.mp4"] for number in range(12)}
    rows = [(address(server, f"{number}.mp4"), 0, 1, "x") for number in range(12)]
    path = recipe(tmp_path, table(tmp_path / "one.csv", rows))
    change(path, "workers: 1", "workers: 1, connections: 6, connections_per_host: 2")
    assert run(path).record["rows"] == 12
    assert server.most_at_once <= 2


def test_killed_while_it_fetches(server: Server, tmp_path: Path, entry: list[str]) -> None:
    """What has come is kept, what was on its way is cleared, and nothing goes on in the background."""
    rows = [(address(server, f"{name}.mp4"), None, None, "x") for name in ("a", "hangs")]
    path, out = recipe(tmp_path, table(tmp_path / "one.csv", rows)), tmp_path / "out"
    media = out / ".work" / "media"
    killed = subprocess.Popen(
        [*entry, str(path), "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert server.hanging.wait(60)
    deadline = time.monotonic() + 60
    while not [*media.glob("?" * 32)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [*media.glob("*.part")]
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    table(tmp_path / "one.csv", rows[:1])
    assert run(path).record["rows"] == 1
    assert server.asked == {"/a.mp4": 1, "/hangs.mp4": 1}
    assert [*media.glob("*.part")] == []
