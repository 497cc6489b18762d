"""A pretrained model as a recipe names it: a pinned commit on the Hub, or a local folder known by its content."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationInfo, field_validator, model_validator

from .identity import Json
from .locations import RecipePath

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATH = TypeAdapter(RecipePath)


class ModelRef(BaseModel):
    """Base of the options that name a model. Code that comes with a model is never run."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str
    """A model's id on the Hub (`owner/name`), or a local folder: `./folder`, relative to the recipe, or `/folder`."""
    revision: str | None = None
    """The commit of a model on the Hub, 40 hex digits: required, as a branch or a tag may move. None for a folder."""

    @field_validator("model", mode="after")
    @classmethod
    def _find(cls, model: str, info: ValidationInfo) -> str:
        if model.startswith((".", "/", "~", "$")):
            folder = _PATH.validate_python(model, context=info.context)
            if not folder.is_dir():
                raise ValueError(f"{model}: no such folder; a model on the Hub is named owner/name, without ./")
            return str(folder)
        if not _HUB_ID.fullmatch(model):
            raise ValueError(f"{model}: neither a model id (owner/name) nor a local folder (./folder or /folder)")
        return model

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.is_local:
            if self.revision is not None:
                raise ValueError("revision: a local folder has none (its content identifies it); leave it out")
        elif self.revision is None or not _COMMIT.fullmatch(self.revision):
            given = "is required" if self.revision is None else f"{self.revision!r} may move"
            where = f"https://huggingface.co/{self.model}/commits/main"
            raise ValueError(f"revision: {given}; give a commit of 40 hex digits, they are listed at {where}")
        return self

    @property
    def is_local(self) -> bool:
        """True for a folder on this machine; `model` is then its absolute path, which is never published."""
        return self.model.startswith("/")

    def identity(self) -> Json:
        """What the model's outputs depend on: id and commit, or a digest of the folder's files; never a path."""
        if not self.is_local:
            return {"model": self.model, "revision": self.revision}
        return {"sha256": _digest(self.model, _listing(Path(self.model)))}

    def load_arguments(self) -> Json:
        """Keyword arguments for `from_pretrained(ref.model, ...)` and `SentenceTransformer(ref.model, ...)`."""
        return {"revision": self.revision, "trust_remote_code": False, "local_files_only": self.is_local}


_Listing = tuple[tuple[str, int, int], ...]


def _listing(folder: Path) -> _Listing:
    """Name, size and mtime of every file that is not hidden, in order; a snapshot's links are followed."""
    files = [(path.relative_to(folder), path) for path in folder.rglob("*") if path.is_file()]
    shown = sorted((name.as_posix(), path) for name, path in files if not any(p.startswith(".") for p in name.parts))
    return tuple((name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in shown)


@functools.lru_cache(maxsize=8)
def _digest(folder: str, listing: _Listing) -> str:
    """Names, sizes and contents of the files as one digest; read once while nothing changes (gigabytes)."""
    total = hashlib.sha256()
    for name, size, _ in listing:
        with (Path(folder) / name).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name}\0{size}\0{content}\n".encode())
    return total.hexdigest()
