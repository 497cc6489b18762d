"""The contract of a source: where clips come from. One file a corpus in `sources/`."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from .clip import Columns
from .errors import Rejection


@dataclass(frozen=True, slots=True)
class SourceClip:
    """A clip as a corpus lists it. `start` and `end` in seconds of the media file; both None: the whole file.

    `media`: an absolute local path as `clip.media_of` gives it, or an http(s) URL. Nothing is opened while listing.
    `license` and `source_url` left None fall back to the recipe's. `extra`: the columns that the source declares.
    """

    source_id: str
    media: str
    start: float | None = None
    end: float | None = None
    source_url: str | None = None
    license: str | None = None
    source_caption: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """One time is one number, whatever it came as: ids are made of it."""
        for edge in ("start", "end"):
            value = getattr(self, edge)
            if value is not None:
                object.__setattr__(self, edge, float(value) + 0.0)  # -0.0 is 0.0


@dataclass(frozen=True, slots=True)
class SourceReject:
    """A row of the corpus that is no clip. `source_id` names it as well as can be (`line 17`); start/end if known."""

    source_id: str
    rejection: Rejection
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class SourceNote:
    """What a source says of its whole listing, at the end of it: files that it left aside."""

    text: str


class Source(BaseModel):
    """A corpus. Its fields are its YAML; a subclass declares `use: Literal["<file name>"] = "<file name>"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    redistributable: ClassVar[bool] = True
    """False for a corpus whose licence forbids to publish its media."""

    use: str
    label: str | None = Field(default=None, pattern=r"^[a-z0-9_-]+$")
    """Names the source in the `source` column and in clip ids, where a recipe has two of a kind; `use` if not given."""
    license: str | None = None
    """SPDX identifier or name of the license of the clips, where the corpus does not carry one for each."""

    @property
    def shown_as(self) -> str:
        """The value of its clips' `source` column."""
        return self.label or self.use

    def adds(self) -> Columns:
        """Columns of the corpus's own, beside those that every source gives."""
        return {}

    def described(self) -> Sequence[tuple[str, str]]:
        """(label, text) for `--check`: how it is read. Opens what costs nothing to open.

        Raises RunError where a folder or a table is not there.
        """
        return ()

    @abstractmethod
    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject | SourceNote]:
        """The corpus in a stable order. `work`: a folder of the run's own, for sources that make their media.

        A bad row is yielded as a SourceReject; a missing folder, table or column raises RunError.
        """


_REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://?")


def _local(path: Any) -> Any:
    """A path on this machine; what is not supported yet is said. Raises ValueError."""
    remote = _REMOTE.match(os.fspath(path)) if isinstance(path, str | os.PathLike) else None
    if remote:
        raise ValueError(
            f"{remote[1]}:// is not read from yet; download or mount it, and give the folder (an address of a single "
            "video may stand in a table)"
        )
    return path


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """`~` and environment variables expanded, relative to the recipe's folder (the context's "base") or the cwd."""
    try:
        expanded = os.path.expandvars(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{path}: there is no such user; write the path out") from None
    if "$" in expanded:
        raise ValueError(f"{path}: environment variable not set; export it or write the path out")
    base = (info.context or {}).get("base", Path.cwd())
    return Path(os.path.normpath(Path(base) / expanded))


RecipePath = Annotated[Path, BeforeValidator(_local), AfterValidator(_resolve)]
"""A path in a recipe: becomes absolute when the recipe is read."""
