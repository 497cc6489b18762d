"""A chat server on loopback that answers what a test tells it to, faults included. It ends with its test."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Reply:
    """`body`: bytes as they are, anything else as JSON. `reset`: the connection is torn down instead; `hang`: nothing
    comes until the server ends."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    hang: bool = False


@dataclass(frozen=True)
class Seen:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    inside: int


def said(text: str | None = "A dog runs.", *, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    """The JSON of a chat completion."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def error(message: str, *, code: str | int | None = None, param: str | None = None) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": param}}


class ChatServer:
    """`answer`: from a request to its reply, called in the request's own thread. `seen`: all requests, in order; of a
    server that is `up`, without the plainest ones, which it answers whatever it does with others.
    """

    def __init__(self, port: int = 0) -> None:
        self.answer: Callable[[Seen], Reply] = lambda seen: Reply(said())
        self.seen: list[Seen] = []
        self.up = True
        self.ended = threading.Event()
        self._inside, self._lock = 0, threading.Lock()
        server = self

        class Bound(_Handler):
            chat = server

        self._http = _Http(("127.0.0.1", port), Bound)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def replies(self, *replies: Reply) -> None:
        """Give these in turn, and the last for ever."""
        self.answer = lambda seen: replies[min(self.seen.index(seen), len(replies) - 1)]

    @property
    def peak(self) -> int:
        return max(seen.inside for seen in self.seen)

    def enter(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Seen:
        with self._lock:
            self._inside += 1
            self.seen.append(Seen(path, headers, body, time.monotonic(), self._inside))
            return self.seen[-1]

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1

    def close(self) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has given up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    chat: ChatServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.chat.up and body["messages"][-1]["content"] == "Say yes.":
            self._give(Reply(said("Yes.")))
            return
        seen = self.chat.enter(self.path, headers, body)
        try:
            reply = self.chat.answer(seen)
            if reply.hang:
                self.chat.ended.wait(30)
        finally:
            self.chat.leave()
        if reply.reset or reply.hang:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self._give(reply)

    def _give(self, reply: Reply) -> None:
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@dataclass(frozen=True)
class Chat:
    """What tests need to talk to the server."""

    server: ChatServer
    Reply: type[Reply]
    said: Callable[..., dict[str, Any]]
    error: Callable[..., dict[str, Any]]


@pytest.fixture
def chat() -> Iterator[Chat]:
    server = ChatServer()
    yield Chat(server, Reply, said, error)
    server.close()
