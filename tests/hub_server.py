"""A Hub for tests: enough of its HTTP interface, on loopback, for the real client to create, push and read datasets.

One branch, linear history, everything in memory. Every request is logged, and faults can be planted: an error status, a
dropped connection, or content that is not kept as it was sent. Used as a context manager, in the test's own process;
it ends with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

WRITE_TOKEN, READ_TOKEN = "hf_test_write_token", "hf_test_read_token"
_LARGE = (".tar", ".parquet", ".mp4", ".jpg", ".png")


@dataclass(frozen=True)
class Entry:
    """A file of a commit. Large ones are named by sha256, the others by git's hash."""

    content: bytes
    large: bool
    sha256: str

    def described(self, path: str) -> dict[str, Any]:
        if not self.large:
            return {"type": "file", "path": path, "oid": _git_oid(self.content), "size": len(self.content)}
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        lfs = {"oid": self.sha256, "size": len(self.content), "pointerSize": len(pointer)}
        return {"type": "file", "path": path, "oid": _git_oid(pointer.encode()), "size": lfs["size"], "lfs": lfs}


@dataclass
class Repo:
    private: bool
    commits: list[tuple[str, dict[str, Entry]]] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    @property
    def files(self) -> dict[str, Entry]:
        return self.commits[-1][1]

    def at(self, revision: str) -> dict[str, Entry] | None:
        return self.files if revision == "main" else dict(self.commits).get(revision)

    def commit(self, files: dict[str, Entry]) -> str:
        self.commits.append((hashlib.sha1(f"{len(self.commits)}{sorted(files)}".encode()).hexdigest(), files))
        return self.head


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    size: int
    status: int


@dataclass
class Fault:
    """Answers matching requests (`PUT /_lfs/...`) with a status, or by hanging up where it is 0; `times` times."""

    match: str
    status: int
    times: int


class HubServer:
    """Start with `with HubServer() as hub:`; `hub.url` is the endpoint."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.spoil: Callable[[str, bytes], bytes] = lambda path, content: content
        self.xet_store: str | None = None
        self.lock = threading.Lock()
        hub = self

        class Bound(_Handler):
            server_state = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def create(self, repo_id: str, *, private: bool, files: dict[str, bytes] | None = None) -> Repo:
        repo = self.repos[repo_id] = Repo(private=private)
        content = {".gitattributes": b"*.tar filter=lfs diff=lfs merge=lfs -text\n", **(files or {})}
        repo.commit({path: _entry(path, data) for path, data in content.items()})
        return repo

    def sent(self, since: int = 0, *, method: str = "PUT") -> list[Request]:
        return [request for request in self.requests[since:] if request.method == method]


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: str, content: bytes) -> Entry:
    return Entry(content=content, large=path.endswith(_LARGE), sha256=hashlib.sha256(content).hexdigest())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: HubServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, content: object = None, *, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.server_state.requests.append(Request(self.command, self.path, len(self.body), status))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, {"error": code}, headers={"X-Error-Code": code, "X-Error-Message": code})

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def handle_any(self) -> None:
        self.body = self.read_body()
        hub, url = self.server_state, urlsplit(self.path)
        path, self.query = unquote(url.path), dict(parse_qsl(url.query))
        with hub.lock:
            if self.is_faulty(f"{self.command} {path}"):
                return
            if not path.startswith("/_lfs/") and not self.is_allowed(path):
                return
            for pattern, method in _ROUTES:
                if found := re.fullmatch(pattern, path):
                    method(self, *found.groups())
                    return
            self.refuse(404, "NotHere")

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def is_faulty(self, line: str) -> bool:
        for fault in self.server_state.faults:
            if fault.times and re.match(fault.match, line):
                fault.times -= 1
                if fault.status:
                    self.refuse(fault.status, "Planted")
                else:
                    self.server_state.requests.append(Request(self.command, self.path, 0, 0))
                    self.close_connection = True
                return True
        return False

    def is_allowed(self, path: str) -> bool:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        writes = self.command == "POST" and not path.endswith(("/validate-yaml", "/main"))
        if token not in {WRITE_TOKEN, READ_TOKEN}:
            self.refuse(401, "Unauthorized")
        elif token == READ_TOKEN and (writes or "/commit/" in path):
            self.refuse(403, "Forbidden")
        else:
            return True
        return False

    def repo(self, repo_id: str) -> Repo | None:
        repo = self.server_state.repos.get(repo_id)
        if repo is None:
            self.refuse(404, "RepoNotFound")
        return repo

    def create(self) -> None:
        asked = json.loads(self.body)
        repo_id = f"{asked.get('organization') or 'me'}/{asked['name']}"
        answer = {"url": f"{self.server_state.url}/datasets/{repo_id}", "name": repo_id, "id": "0"}
        if repo_id in self.server_state.repos:
            self.answer(409, {"error": "already there", **answer})
            return
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.server_state.create(repo_id, private=private)
        self.answer(200, answer)

    def validate_yaml(self) -> None:
        self.answer(200, {"errors": [], "warnings": []})

    def who(self) -> None:
        self.answer(200, {"type": "user", "name": "me", "orgs": [], "auth": {"accessToken": {"role": "write"}}})

    def info(self, repo_id: str, revision: str | None) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        files = repo.at(revision or "main")
        if files is None:
            self.refuse(404, "RevisionNotFound")
            return
        sha = repo.head if revision in {None, "main"} else revision
        siblings = [{"rfilename": path} for path in sorted(files)]
        moment = {"createdAt": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z"}
        flags = {"private": repo.private, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        self.answer(200, {"_id": "0", "id": repo_id, "sha": sha, "siblings": siblings, **flags, **moment})

    def tree(self, repo_id: str, revision: str, folder: str | None) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        files, prefix = repo.at(revision), f"{folder}/" if folder else ""
        if files is None or (folder and not any(path.startswith(prefix) for path in files)):
            self.refuse(404, "RevisionNotFound" if files is None else "EntryNotFound")
            return
        recursive, listed = self.query.get("recursive", "").lower() in {"1", "true"}, {}
        for path, entry in sorted(files.items()):
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                parent = prefix + "/".join(parts[:depth])
                listed[parent] = {"type": "directory", "path": parent, "oid": "0" * 40, "size": 0}
            if recursive or len(parts) == 1:
                listed[path] = entry.described(path)
        self.answer(200, list(listed.values()))

    def paths_info(self, repo_id: str, revision: str) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        files, is_json = repo.at(revision) or {}, "json" in (self.headers.get("Content-Type") or "")
        asked = (
            json.loads(self.body)["paths"] if is_json else [v for k, v in parse_qsl(self.body.decode()) if k == "paths"]
        )
        found = [files[path].described(path) for path in asked if path in files]
        folders = [path for path in asked if any(name.startswith(f"{path}/") for name in files)]
        found += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        self.answer(200, found)

    def preupload(self, repo_id: str) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        answers = []
        for asked in json.loads(self.body)["files"]:
            path, mode = asked["path"], "lfs" if asked["path"].endswith(_LARGE) else "regular"
            here = repo.files.get(path)
            oid = {"oid": here.sha256 if here.large else _git_oid(here.content)} if here else {}
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
        self.answer(200, {"files": answers})

    def batch(self, repo_id: str) -> None:
        objects = []
        for asked in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.server_state.url}/_lfs/{asked['oid']}"}}
            objects.append(asked if asked["oid"] in self.server_state.large else {**asked, "actions": upload})
        self.answer(200, {"transfer": "basic", "objects": objects})

    def keep(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            self.refuse(400, "ContentMismatch")
            return
        self.server_state.large[sha256] = self.body
        self.answer(200, {})

    def xet_token(self, repo_id: str) -> None:
        store = self.server_state.xet_store or ""
        headers = {"X-Xet-Cas-Url": store, "X-Xet-Access-Token": "token", "X-Xet-Token-Expiration": "9999999999"}
        self.answer(200, {"casUrl": store, "accessToken": "token", "exp": 9999999999}, headers=headers)

    def commit(self, repo_id: str) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        lines = [json.loads(line) for line in self.body.splitlines()]
        if lines[0]["value"].get("parentCommit", repo.head) != repo.head:
            self.refuse(412, "ParentCommitMismatch")
            return
        files = dict(repo.files)
        for line in lines[1:]:
            path = line["value"]["path"]
            if line["key"] == "deletedFile":
                del files[path]
            elif line["key"] == "file":
                content = base64.b64decode(line["value"]["content"])
                files[path] = _entry(path, self.server_state.spoil(path, content))
            else:
                sha256 = line["value"]["oid"]
                # what Xet stores is in its own place: for the hash, only the size matters here
                content = self.server_state.large.get(sha256, b"\0" * int(line["value"].get("size") or 0))
                spoiled = self.server_state.spoil(path, content)
                files[path] = Entry(content, True, sha256) if spoiled == content else _entry(path, spoiled)
        oid = repo.commit(files)
        url = f"{self.server_state.url}/datasets/{repo_id}/commit/{oid}"
        self.answer(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        if (repo := self.repo(repo_id)) is None:
            return
        entry = (repo.at(revision) or {}).get(path)
        commit = repo.head if revision == "main" else revision
        if entry is None:
            self.answer(404, {}, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return
        tag = entry.sha256 if entry.large else _git_oid(entry.content)
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes", "ETag": f'"{tag}"'}
        if entry.large:
            headers |= {"X-Linked-Size": str(len(entry.content)), "X-Linked-Etag": f'"{tag}"'}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if self.command == "HEAD":
            self.answer(200, headers={**headers, "Content-Length": str(len(entry.content))})
        elif asked is None:
            self.answer(200, entry.content, headers=headers)
        else:
            first = int(asked[1])
            part = entry.content[first : int(asked[2]) + 1 if asked[2] else None]
            span = f"bytes {first}-{first + len(part) - 1}/{len(entry.content)}"
            self.answer(206 if part else 416, part, headers={**headers, "Content-Range": span})


_ID = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"/api/repos/create", _Handler.create),
    (r"/api/validate-yaml", _Handler.validate_yaml),
    (r"/api/whoami-v2", _Handler.who),
    (rf"/datasets/{_ID}\.git/info/lfs/objects/batch", _Handler.batch),
    (r"/_lfs/([0-9a-f]{64})", _Handler.keep),
    (rf"/api/datasets/{_ID}(?:/revision/([^/]+))?", _Handler.info),
    (rf"/api/datasets/{_ID}/tree/([^/]+)(?:/(.+))?", _Handler.tree),
    (rf"/api/datasets/{_ID}/paths-info/([^/]+)", _Handler.paths_info),
    (rf"/api/datasets/{_ID}/preupload/main", _Handler.preupload),
    (rf"/api/datasets/{_ID}/xet-write-token/main", _Handler.xet_token),
    (rf"/api/datasets/{_ID}/commit/main", _Handler.commit),
    (rf"/datasets/{_ID}/resolve/([^/]+)/(.+)", _Handler.resolve),
]
