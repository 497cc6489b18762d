"""The finished dataset to the Hub: one commit, of what differs and nothing else, verified by hash afterwards.

The whole build arrives in one commit, so that nobody ever reads half of a dataset. Large files are sent ahead of it, a
batch at a time; one that was sent is not sent again, so a push that was interrupted goes on when it is run again. What
is another's there, or was written there by hand, is neither overwritten nor deleted (`hub_claim.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import RunError
from .hub_claim import former_files
from .hub_errors import explained

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

PUBLISHED = ("README.md", "build.json", "report.html", "rejects.parquet")
FOLDERS = {"data": "*.tar", "metadata": "*.parquet", "assets": "*.*"}
"""What a build publishes: single files, and files of folders. Nothing else of the output folder leaves the machine."""
_BATCH_BYTES = 4_000_000_000
_BATCH_FILES = 100
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the build, with the two names that the Hub may know its content by."""

    path: Path
    size: int
    sha256: str
    git_oid: str

    def is_same(self, remote: RepoFile) -> bool:
        """Whether the Hub holds this content: by sha256 where it is a large file, by git's own hash where it is not."""
        if remote.lfs is not None:
            return remote.lfs.sha256 == self.sha256 and remote.lfs.size == self.size
        return remote.blob_id == self.git_oid


def check_repo(repo: str, *, name: str) -> None:
    """Ask the Hub who we are and what is there, before a long build rather than after it. Raises RunError.

    `name`: of the dataset that shall be pushed.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    api = HfApi(library_name="shotscribe")
    with explained(repo):
        owner = api.whoami()["name"]
        full = repo if "/" in repo else f"{owner}/{repo}"
        try:
            head = api.repo_info(full, repo_type="dataset").sha
        except RepositoryNotFoundError:
            return
        former_files(api, full, _remote_files(api, full, revision=head), name=name, revision=head)


def push(out: Path, *, repo: str, private: bool, on_progress: Callable[[str], None] = lambda line: None) -> str:
    """Make the Hub's dataset `repo` equal to the build in `out`, and return its URL.

    Files of an earlier build that this one lacks are deleted; what no build of this dataset put there stays. Raises
    RunError, also where the Hub holds something else than was sent.
    """
    from huggingface_hub import HfApi

    on_progress(f"hashing the files of {out.name}")
    local, name = _local_files(out)
    api = HfApi(library_name="shotscribe")
    with explained(repo):
        repo, url, head = _open_repo(api, repo, private=private, on_progress=on_progress)
        remote = _remote_files(api, repo, revision=head)
        former = former_files(api, repo, remote, name=name, revision=head)
        changed = {path: file for path, file in local.items() if path not in remote or not file.is_same(remote[path])}
        _refuse_clash(changed.keys() & remote.keys() - former, repo=repo)
        stale = sorted(path for path in former if path in remote and _is_published(path) and path not in local)
        if not changed and not stale:
            on_progress(f"{repo} on the Hub is up to date: nothing sent")
            return url
        commit = _send(api, repo, changed=changed, stale=stale, parent=head, on_progress=on_progress)
        _verify(local, stale, _remote_files(api, repo, revision=commit), repo=repo)
    on_progress(f"verified {len(local)} files by hash")
    return url


def _local_files(out: Path) -> tuple[dict[str, LocalFile], str]:
    """The files to publish, by their path in the repository, checked against what the build recorded; its name."""
    for name in ("build.json", "README.md"):
        if not (out / name).is_file():
            raise RunError(f"{out}: nothing to push, {name} is missing; build the dataset first")
    found = [out / name for name in PUBLISHED if (out / name).is_file()]
    for folder, pattern in FOLDERS.items():
        found += sorted(path for path in (out / folder).glob(pattern) if path.is_file() and path.name[0] != ".")
    files = {path.relative_to(out).as_posix(): _hashed(path) for path in found}
    record = json.loads((out / "build.json").read_text("utf-8"))
    for entry in (*record["shards"], *record["files"]):
        file = files.get(entry["path"])
        if file is None or file.sha256 != entry["sha256"]:
            state = "missing" if file is None else "not what was built"
            if file is not None:
                os.utime(file.path)  # the next run looks closely at what was touched
            raise RunError(f"{out / entry['path']}: {state}; run the recipe again, which makes it anew, then push")
    return files, record["name"]


def _hashed(path: Path) -> LocalFile:
    """Both hashes in one reading. Git's is over a header with the size, then the content."""
    size = path.stat().st_size
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
            git.update(chunk)
    return LocalFile(path=path, size=size, sha256=sha256.hexdigest(), git_oid=git.hexdigest())


def _is_published(path: str) -> bool:
    """Whether it is a file that a build publishes: a record on the Hub may list what it likes."""
    folder, _, name = path.rpartition("/")
    return path in PUBLISHED or (folder in FOLDERS and Path(name).match(FOLDERS[folder]))


def _open_repo(
    api: HfApi, repo: str, *, private: bool, on_progress: Callable[[str], None]
) -> tuple[str, str, str | None]:
    """Create the repository where there is none: its full name, its URL, and the commit that it is at.

    One that is public already is never taken for a private one.
    """
    created = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    info = api.repo_info(created.repo_id, repo_type="dataset")
    if private and not info.private:
        raise RunError(
            f"publish.hub.repo {repo}: is public on the Hub and the recipe says `private: true`; "
            "make it private in its settings, choose another name, or say `private: false`"
        )
    if info.private and not private:
        on_progress(f"{repo} is private on the Hub and stays so; its settings make it public")
    return created.repo_id, created.url, info.sha


def _remote_files(api: HfApi, repo: str, *, revision: str | None) -> dict[str, RepoFile]:
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
    return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}


def _refuse_clash(paths: set[str], *, repo: str) -> None:
    """What nobody's build put there is not overwritten."""
    if paths:
        raise RunError(
            f"publish.hub.repo {repo}: {min(paths)} on the Hub is not from a build of this dataset, and this build has "
            "a file of that name; rename or delete it there, then push again"
        )


def _send(
    api: HfApi,
    repo: str,
    *,
    changed: dict[str, LocalFile],
    stale: list[str],
    parent: str | None,
    on_progress: Callable[[str], None],
) -> str:
    """Send the content of the large files, then commit everything at once; the commit's id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    total, sent = sum(file.size for file in changed.values()), 0
    additions: list[CommitOperationAdd] = []
    for batch in _batches(changed):
        adds = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=changed[path].path) for path in batch]
        api.preupload_lfs_files(repo, additions=adds, repo_type="dataset")
        additions += adds
        sent += sum(changed[path].size for path in batch)
        on_progress(f"sent {len(additions)} of {len(changed)} files, {sent / 1e6:,.1f} of {total / 1e6:,.1f} MB")
    commit = api.create_commit(
        repo,
        repo_type="dataset",
        operations=[*(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in stale), *additions],
        commit_message=f"Build: {len(changed)} files changed, {len(stale)} removed",
        parent_commit=parent,
    )
    return commit.oid


def _batches(files: dict[str, LocalFile]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for path, file in files.items():
        if batch and (size + file.size > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += file.size
    if batch:
        yield batch


def _verify(local: dict[str, LocalFile], stale: list[str], remote: dict[str, RepoFile], *, repo: str) -> None:
    wrong = [path for path, file in local.items() if path not in remote or not file.is_same(remote[path])]
    wrong += [path for path in stale if path in remote]
    if wrong:
        raise RunError(
            f"{repo} on the Hub: {len(wrong)} of {len(local)} files are not what was sent, first {wrong[0]}; "
            "push again, which sends what differs"
        )
