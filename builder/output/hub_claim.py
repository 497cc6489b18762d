"""Whose a repository on the Hub is: a push takes an empty one, or goes on with a former build of the same dataset.

A former build is known by its `build.json`: only what that lists is ours to replace or to delete. Where there is none,
the repository may hold what the Hub puts into a new one and a licence, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import RunError
from ..contract.identity import Json

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

_HARMLESS = frozenset({".gitattributes", ".gitignore", "LICENSE", "LICENSE.md"})
_PAGES = ("build.json", "README.md", "report.html", "assets/funnel.png", "assets/distributions.png")
_MOST_BYTES = 500_000_000
_LONGEST_HEAD = 10_000
_ONLY_A_HEAD = re.compile(r"\s*(?:---\n(?:.*\n)*?---\s*)?")  # what the Hub writes for who chooses a licence


def former_files(
    api: HfApi, repo: str, remote: Mapping[str, RepoFile], *, name: str, revision: str | None
) -> frozenset[str]:
    """The paths that a former build of the dataset `name` listed; none in a repository that is free to take.

    Raises RunError where the repository is another dataset's, or its card was edited by hand.
    """
    if "build.json" not in remote:
        _check_free(api, repo, remote, revision=revision)
        return frozenset(remote.keys() & {"README.md"})
    former = _record(api, repo, remote["build.json"], revision=revision)
    if former["name"] != name:
        raise RunError(
            f"publish.hub.repo {repo}: holds the dataset {former['name']!r}, and this one is {name!r}; give this "
            "recipe a repository of its own, or delete that one on the Hub first"
        )
    if "README.md" in remote:
        card = _download(api, repo, "README.md", revision=revision)
        if hashlib.sha256(card).hexdigest() != former.get("card_sha256"):
            raise RunError(
                f"publish.hub.repo {repo}: README.md was edited on the Hub; take what is written there into the "
                "recipe's `description`, delete README.md there, and push again"
            )
    thumbnails = (sample["thumbnail"] for sample in former["samples"])
    return frozenset([*_PAGES, *thumbnails, *(file["path"] for file in [*former["shards"], *former["files"]])])


def _check_free(api: HfApi, repo: str, remote: Mapping[str, RepoFile], *, revision: str | None) -> None:
    others = sorted(remote.keys() - _HARMLESS - {"README.md"})
    if others:
        raise RunError(
            f"publish.hub.repo {repo}: holds another dataset already (it has {others[0]}, and no build.json); "
            "choose another name"
        )
    if "README.md" in remote:
        text = _download(api, repo, "README.md", revision=revision).decode("utf-8", "replace")
        if len(text) > _LONGEST_HEAD or not _ONLY_A_HEAD.fullmatch(text.replace("\r\n", "\n")):
            raise RunError(
                f"publish.hub.repo {repo}: has a README.md that somebody wrote, and the dataset's card goes there; "
                "take its text into the recipe's `description`, delete README.md on the Hub, and push again"
            )


def _record(api: HfApi, repo: str, file: RepoFile, *, revision: str | None) -> Json:
    """The build record that is there, in so far as it is one: anybody may have written it."""
    try:
        if file.size > _MOST_BYTES:
            raise ValueError
        record = json.loads(_download(api, repo, "build.json", revision=revision))
        listed = [*(entry["path"] for entry in [*record["shards"], *record["files"]])]
        listed += [sample["thumbnail"] for sample in record["samples"]]
        if not all(isinstance(text, str) for text in [record["name"], *listed]):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise RunError(
            f"publish.hub.repo {repo}: holds another dataset already (its build.json is not from this program); "
            "choose another name"
        ) from None
    return dict(record)


def _download(api: HfApi, repo: str, path: str, *, revision: str | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return Path(
            api.hf_hub_download(repo, path, repo_type="dataset", revision=revision, local_dir=folder)
        ).read_bytes()
