"""Pushing, with the real client, to a Hub on loopback."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from shotscribe.builder.contract.errors import RunError
from shotscribe.builder.output.generations import read_generations
from shotscribe.builder.output.hub import check_repo, push
from shotscribe.builder.store.outputs import output_of
from shotscribe.cards.card import card
from shotscribe.cards.report import report

SERVER = Path(__file__).parents[2] / "hub_server.py"
REPO = "me/street-life"


def _load_server() -> Any:
    spec = importlib.util.spec_from_file_location("hub_server", SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hub_server"] = module
    spec.loader.exec_module(module)
    return module


server = _load_server()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A running Hub that this process's client talks to, as somebody who may write; retries do not wait."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    with server.HubServer() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = f"{running.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", server.WRITE_TOKEN)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield running


def _record(columns: dict[str, str], files: list[dict[str, Any]], shards: list[dict[str, Any]]) -> Any:
    rows = sum(shard["rows"] for shard in shards)
    key = {"name": "probe", "use": "probe", "key": "0" * 64, "rejected": {}, "options": {}, "adds": {}, "prompts": {}}
    return {
        "format": 2,
        "shotscribe": "0.1.0",
        "name": "street-life",
        "version": "1",
        "description": None,
        "recipe": {"name": "street-life", "publish": {"hub": {"repo": REPO}}},
        "sources": [{"use": "folder", "license": "cc0-1.0", "clips": rows, "rejected": {}, "options": {}}],
        "steps": [{**key, "rows_in": rows, "rows_out": rows}],
        "columns": columns,
        "caption": "caption",
        "captioned": rows,
        "captions": [],
        "verified": {"clips": 0, "captions": 0, "other_pixels": 0},
        "media": "embed",
        "rows": rows,
        "seconds": 1.0 * rows,
        "bytes": sum(shard["bytes"] for shard in shards),
        "licenses": {"cc0-1.0": rows},
        "sources_kept": {"folder": rows},
        "distributions": {},
        "samples": [],
        "shards": shards,
        "files": files,
        "versions": {},
    }


def _file(out: Path, path: str, content: bytes, **more: int) -> dict[str, Any]:
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **more}


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _tar(shard: int, video: bytes) -> bytes:
    buffer = io.BytesIO()
    with webdataset.TarWriter(buffer, mtime=0) as tar:
        for clip in range(2):
            name = f"clip-{shard}-{clip}"
            row = json.dumps({"clip_id": name, "duration": 0.4}).encode()
            tar.write({"__key__": name, "mp4": video, "txt": f"caption of {name}", "json": row})
    return buffer.getvalue()


def _build(out: Path, video: bytes, *, shards: int = 3, name: str = "street-life") -> Path:
    """What a run leaves in its output folder."""
    names = [f"clip-{shard}-{clip}" for shard in range(shards) for clip in range(2)]
    captions = [f"caption of {name}" for name in names]
    made = [
        _file(out, f"data/train-{shard:05d}-of-{shards:05d}.tar", _tar(shard, video), rows=2) for shard in range(shards)
    ]
    files = [
        _file(out, "metadata/train-00000-of-00001.parquet", _parquet({"clip_id": names, "caption": captions})),
        _file(out, "rejects.parquet", _parquet({"clip_id": ["bad"], "reason": ["unreadable"]})),
    ]
    record = _record({"clip_id": "string", "duration": "float64"}, files, made)
    record["name"] = name
    record["card_sha256"] = _file(out, "README.md", card(record).encode())["sha256"]
    _file(out, "report.html", report(record).encode())
    _file(out, "build.json", json.dumps(record).encode())
    _file(out, "assets/funnel.png", b"\x89PNG picture")
    _file(out, ".work/state.db", b"a private path")
    _file(out, "data/.train-00009.tar.tmp", b"half a shard")
    return out


@pytest.fixture(scope="session")
def video(encode: Callable[..., Path], moving: Callable[..., Iterable[Any]], tmp_path_factory: Any) -> bytes:
    path = encode(tmp_path_factory.mktemp("video") / "clip.mp4", moving(8, size=(48, 64)), fps=20)
    return bytes(path.read_bytes())


@pytest.fixture
def out(video: bytes, tmp_path: Path) -> Path:
    return _build(tmp_path / "out", video)


def _on_hub(hub: Any) -> dict[str, bytes]:
    return {path: entry.content for path, entry in hub.repos[REPO].files.items() if path != ".gitattributes"}


def _in_folder(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    return {path: content for path, content in named.items() if "/." not in f"/{path}"}


def test_a_push_publishes_the_build_and_nothing_else_in_one_commit(hub: Any, out: Path) -> None:
    said: list[str] = []
    url = push(out, repo=REPO, private=True, on_progress=said.append)

    assert url == f"{hub.url}/datasets/{REPO}"
    assert _on_hub(hub) == _in_folder(out)
    assert hub.repos[REPO].private
    assert len(hub.repos[REPO].commits) == 2  # the empty repository, then everything at once
    assert said[-1] == "verified 9 files by hash"
    assert server.WRITE_TOKEN not in "".join(said)


def test_a_public_repository_is_made_only_where_the_recipe_says_so(hub: Any, out: Path) -> None:
    push(out, repo=REPO, private=False)
    assert not hub.repos[REPO].private

    before = len(hub.repos[REPO].commits)
    with pytest.raises(RunError, match="is public on the Hub and the recipe says `private: true`"):
        push(out, repo=REPO, private=True)
    assert len(hub.repos[REPO].commits) == before


def test_pushing_again_sends_nothing(hub: Any, out: Path) -> None:
    push(out, repo=REPO, private=True)
    before, said = len(hub.requests), list[str]()

    push(out, repo=REPO, private=True, on_progress=said.append)

    again = hub.requests[before:]
    assert {request.method for request in again} == {"POST", "GET", "HEAD"}
    assert sum(request.size for request in again) < 200  # bytes: to ask for the repository, and no more
    assert len(hub.repos[REPO].commits) == 2
    assert said[-1].endswith("up to date: nothing sent")


def test_a_new_build_sends_what_changed_and_deletes_what_is_gone(hub: Any, out: Path, video: bytes) -> None:
    push(out, repo=REPO, private=True)
    theirs = hub.repos[REPO]
    theirs.commit({**theirs.files, "LICENSE": server._entry("LICENSE", b"their own")})
    old = set(_on_hub(hub))
    for tar in (out / "data").glob("*.tar"):
        tar.unlink()
    _build(out, video, shards=2)
    before = len(hub.requests)

    push(out, repo=REPO, private=True)

    assert _on_hub(hub) == {**_in_folder(out), "LICENSE": b"their own"}
    assert old - set(_on_hub(hub)) == {f"data/train-0000{shard}-of-00003.tar" for shard in range(3)}
    # the tars have new names and old content, which is there already: only the metadata is new
    assert [request.size for request in hub.sent(before)] == [
        (out / "metadata/train-00000-of-00001.parquet").stat().st_size
    ]


def test_what_is_gone_is_deleted_where_nothing_else_changed(hub: Any, out: Path) -> None:
    push(out, repo=REPO, private=True)
    (out / "assets/funnel.png").unlink()
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == _in_folder(out)


@pytest.mark.parametrize("status", [0, 503])
def test_an_interrupted_push_goes_on_where_it_stopped(hub: Any, out: Path, status: int) -> None:
    last = hashlib.sha256((out / "data/train-00002-of-00003.tar").read_bytes()).hexdigest()
    fault = server.Fault(match=f"PUT /_lfs/{last}", status=status, times=50)
    hub.faults.append(fault)
    with pytest.raises(RunError, match=r"push again( later)?, what was sent is kept"):
        push(out, repo=REPO, private=True)
    assert _on_hub(hub) == {}  # nobody sees half a dataset
    kept, before = set(hub.large), len(hub.requests)
    assert kept

    fault.times = 0
    push(out, repo=REPO, private=True)

    assert _on_hub(hub) == _in_folder(out)
    assert {request.path.rpartition("/")[2] for request in hub.sent(before)}.isdisjoint(kept)


def test_a_dropped_connection_is_tried_again_within_a_push(hub: Any, out: Path) -> None:
    hub.faults.append(server.Fault(match="PUT /_lfs/", status=0, times=3))
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == _in_folder(out)


@pytest.mark.parametrize("path", ["data/train-00001-of-00003.tar", "report.html"])
def test_content_that_is_not_kept_as_sent_is_found_and_sent_again(hub: Any, out: Path, path: str) -> None:
    hub.spoil = lambda name, content: content[:-1] + b"?" if name == path else content
    with pytest.raises(RunError, match=rf"1 of 9 files are not what was sent, first {path}; push again"):
        push(out, repo=REPO, private=True)

    hub.spoil = lambda name, content: content
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == _in_folder(out)


def test_a_shard_that_changed_since_it_was_built_is_not_pushed(hub: Any, out: Path) -> None:
    shard = out / "data/train-00001-of-00003.tar"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"train-00001-of-00003\.tar: not what was built"):
        push(out, repo=REPO, private=True)
    assert hub.requests == []

    shard.unlink()
    with pytest.raises(RunError, match=r"train-00001-of-00003\.tar: missing"):
        push(out, repo=REPO, private=True)


def test_a_folder_without_a_build_is_refused(hub: Any, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"build\.json is missing; build the dataset first"):
        push(tmp_path, repo=REPO, private=True)


RECORD = {"name": "street-life", "shards": [], "files": [], "samples": []}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"data/train-00000-of-00001.parquet": b"years of work"}, "holds another dataset already"),
        ({"data/train-00000-of-00003.tar": b"years of work", "LICENSE": b"mine"}, "holds another dataset already"),
        ({"README.md": b"---\nlicense: mit\n---\n# Mine, written by hand\n"}, "a README.md that somebody wrote"),
        ({"build.json": b'{"ninja": 1}', "data.bin": b"years of work"}, "build.json is not from this program"),
        ({"build.json": b"\xff\x00"}, "build.json is not from this program"),
        ({"build.json": json.dumps({**RECORD, "name": 7}).encode()}, "build.json is not from this program"),
        ({"build.json": json.dumps({**RECORD, "name": "beach"}).encode()}, "holds the dataset 'beach'"),
        (
            {"build.json": json.dumps(RECORD).encode(), "data/train-00000-of-00003.tar": b"not of that build"},
            "train-00000-of-00003.tar on the Hub is not from a build of this dataset",
        ),
    ],
)
def test_another_dataset_is_not_overwritten(hub: Any, out: Path, files: dict[str, bytes], says: str) -> None:
    repo = hub.create(REPO, private=True, files=files)
    with pytest.raises(RunError, match=says):
        push(out, repo=REPO, private=True)
    assert len(repo.commits) == 1
    assert hub.sent() == []
    if "not from a build of" not in says:
        with pytest.raises(RunError, match=says):
            check_repo(REPO, name="street-life")  # before the build, too


def test_a_recipe_that_was_copied_does_not_take_the_others_repository(
    hub: Any, out: Path, video: bytes, tmp_path: Path
) -> None:
    push(out, repo=REPO, private=True)
    there = _on_hub(hub)
    copied = _build(tmp_path / "copied", video, shards=1, name="beach")
    with pytest.raises(RunError, match=r"holds the dataset 'street-life', and this one is 'beach'; give this recipe"):
        push(copied, repo=REPO, private=True)
    sample = _build(tmp_path / "sample", video, shards=1, name="street-life-limit-10")
    with pytest.raises(RunError, match="this one is 'street-life-limit-10'"):
        push(sample, repo=REPO, private=True)
    assert _on_hub(hub) == there


def test_a_new_repository_with_what_the_hub_puts_into_it_is_free(hub: Any, out: Path) -> None:
    files = {"README.md": b"---\r\nlicense: cc-by-4.0\r\n---\r\n", "LICENSE": b"theirs"}
    hub.create(REPO, private=True, files=files)
    check_repo(REPO, name="street-life")
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == {**_in_folder(out), "LICENSE": b"theirs"}


def test_a_repository_that_is_not_there_yet_is_free(hub: Any) -> None:
    check_repo(REPO, name="street-life")
    check_repo("street-life", name="street-life")


def test_only_what_a_former_build_listed_is_deleted(hub: Any, out: Path, video: bytes) -> None:
    push(out, repo=REPO, private=True)
    theirs = {
        "data/train-00007-of-00008.tar": b"put there by hand",
        "data/notes.txt": b"theirs",
        "assets/logo.png": b"theirs",
        "metadata/labels.parquet": b"theirs",
        "eval/prompts.json": b"theirs",
        "LICENSE": b"theirs",
    }
    repo = hub.repos[REPO]
    repo.commit({**repo.files, **{path: server._entry(path, data) for path, data in theirs.items()}})
    for tar in (out / "data").glob("*.tar"):
        tar.unlink()
    _build(out, video, shards=2)
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == {**_in_folder(out), **theirs}


def test_a_record_cannot_have_other_files_deleted(hub: Any, out: Path) -> None:
    record = {**RECORD, "files": [{"path": "LICENSE"}, {"path": "eval/prompts.json"}, {"path": "../x"}]}
    files = {"build.json": json.dumps(record).encode(), "LICENSE": b"theirs", "eval/prompts.json": b"theirs"}
    hub.create(REPO, private=True, files=files)
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == {**_in_folder(out), "LICENSE": b"theirs", "eval/prompts.json": b"theirs"}


def test_a_card_that_was_edited_on_the_hub_is_not_overwritten(hub: Any, out: Path, video: bytes) -> None:
    push(out, repo=REPO, private=True)
    repo = hub.repos[REPO]
    repo.commit({**repo.files, "README.md": server._entry("README.md", b"# Mine, and how to cite it")})
    with pytest.raises(RunError, match=r"README\.md was edited on the Hub; .* delete README\.md there, and push again"):
        push(out, repo=REPO, private=True)
    assert repo.files["README.md"].content == b"# Mine, and how to cite it"
    repo.commit({path: entry for path, entry in repo.files.items() if path != "README.md"})
    push(out, repo=REPO, private=True)
    assert _on_hub(hub) == _in_folder(out)


@pytest.mark.parametrize(
    ("match", "status", "says"),
    [
        ("POST /api/repos/create", 401, "401.*hf auth login.*HF_TOKEN"),
        ("POST /api/repos/create", 403, "403.*write access"),
        ("GET /api/datasets/", 404, "404.*check the name"),
        ("POST /api/datasets/.*/commit/main", 412, "412.*push again"),
        ("POST /api/repos/create", 429, "429.*wait a while"),
        ("POST /api/datasets/.*/commit/main", 500, "500; push again later"),
        ("POST /api/repos/create", 400, "400 Planted"),
        ("POST /api/repos/create", 0, "cannot reach the Hub"),
    ],
)
def test_what_the_hub_answers_is_explained(hub: Any, out: Path, match: str, status: int, says: str) -> None:
    hub.faults.append(server.Fault(match=match, status=status, times=50))
    with pytest.raises(RunError, match=rf"(?s)pushing {REPO}.*{says}") as caught:
        push(out, repo=REPO, private=True)
    assert server.WRITE_TOKEN not in str(caught.value)
    assert "http" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tokens_that_may_not_write_are_explained(hub: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", server.READ_TOKEN)
    with pytest.raises(RunError, match=r"403.*write access"):
        push(out, repo=REPO, private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(RunError, match=r"401.*hf auth login"):
        push(out, repo=REPO, private=True)


def test_no_hub_and_no_name_are_explained(hub: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with pytest.raises(RunError, match="not a repository's name; write it as owner/name"):
        push(out, repo="a/b/c", private=True)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match=r"cannot reach the Hub .*check the connection"):
        push(out, repo=REPO, private=True)


def test_somebody_elses_commit_in_between_is_not_lost(hub: Any, out: Path) -> None:
    repo = hub.create(REPO, private=True)

    def commit_meanwhile(line: str) -> None:
        if "README.md" not in repo.files and line.startswith("sent 9 of"):
            repo.commit({**repo.files, "NOTES.md": server._entry("NOTES.md", b"theirs")})

    with pytest.raises(RunError, match="412: somebody changed it in the meantime; push again"):
        push(out, repo=REPO, private=True, on_progress=commit_meanwhile)
    assert _on_hub(hub) == {"NOTES.md": b"theirs"}


READ = """
import json, os
from datasets import load_dataset
repo = os.environ["REPO"]
rows = list(load_dataset(repo, split="train", streaming=True))
files = f"hf://datasets/{repo}"
table = load_dataset("parquet", data_files=f"{files}/metadata/*.parquet", split="train")
rejects = load_dataset("parquet", data_files=f"{files}/rejects.parquet", split="train", streaming=True)
print(json.dumps({
    "features": sorted(load_dataset(repo, split="train", streaming=True).features),
    "rows": [[row["__key__"], row["txt"], row["json"], len(row["mp4"]["bytes"])] for row in rows],
    "captions": table["caption"][:],
    "rejects": [row["reason"] for row in rejects],
}))
"""


def test_what_was_pushed_streams_from_the_hub(hub: Any, out: Path, video: bytes, tmp_path: Path) -> None:
    push(out, repo=REPO, private=True)
    # its own process: the endpoint is read when the libraries are imported
    fresh = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_UPDATE_DOWNLOAD_COUNTS": "0", "REPO": REPO}
    fresh |= {"HF_TOKEN": server.READ_TOKEN, "HF_HUB_DISABLE_XET": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", READ], env=fresh, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(done.stdout)

    names = [f"clip-{shard}-{clip}" for shard in range(3) for clip in range(2)]
    assert read["features"] == ["__key__", "__url__", "json", "mp4", "txt"]
    assert read["rows"] == [
        [name, f"caption of {name}", {"clip_id": name, "duration": 0.4}, len(video)] for name in names
    ]
    assert read["captions"] == [f"caption of {name}" for name in names]
    assert read["rejects"] == ["unreadable"]


XET = """
import sys
from pathlib import Path
from shotscribe.builder.output.hub import check_repo, push
print(push(Path(sys.argv[1]), repo=sys.argv[2], private=True, on_progress=lambda line: print(line, file=sys.stderr)))
"""


def test_the_real_hubs_xet_storage_takes_it_too(hub: Any, out: Path, tmp_path: Path) -> None:
    hub.xet_store = f"local://{tmp_path / 'cas'}"
    fresh = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": server.WRITE_TOKEN}
    fresh |= {"PATH": "/usr/bin:/bin", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", XET, str(out), REPO]
    done = subprocess.run(command, env=fresh, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    assert hub.sent() == []  # nothing over the older protocol
    assert "verified 9 files by hash" in done.stderr
    assert any(path.is_file() for path in (tmp_path / "cas").rglob("*"))
    assert server.WRITE_TOKEN not in done.stdout + done.stderr


def test_the_command_builds_and_pushes(
    hub: Any, recipe: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.write_text(recipe.read_text().replace("publish: {", f"publish: {{hub: {{repo: {REPO}}}, "))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    out = tmp_path / "out"
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    refused = command(recipe, "--out", out, "--push")
    assert refused.returncode == 1
    assert "HF_TOKEN" in refused.stderr
    assert "hf_wrong" not in refused.stderr + refused.stdout
    assert not out.exists()  # a token that will not do is found before the work
    monkeypatch.setenv("HF_TOKEN", server.WRITE_TOKEN)
    first = command(recipe, "--out", out, "--push")
    assert first.returncode == 0, first.stderr
    assert f"hub     {hub.url}/datasets/{REPO}" in first.stdout
    settled, members = read_generations(output_of("small", out, limit=None))
    assert [generation.closed for generation in settled] == [True], "what comes later is packed by itself"
    assert len(members[0]) == 8
    again = command(recipe, "--out", out, "--push")
    assert again.returncode == 0
    assert "nothing sent" in again.stderr
