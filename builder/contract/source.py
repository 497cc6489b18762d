"""The contract of a source: where clips come from. One file a corpus in `sources/`."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .clip import Columns, Row
from .errors import Rejection
from .locations import MediaIdentity


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
    extra: Row = field(default_factory=dict)

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
    media_identity: MediaIdentity = "ends"
    """By what a media file is known again, wherever it lies: `ends`, its size and its first and last MiB, which does
    not see a change in between; `full`, all of it."""

    @property
    def shown_as(self) -> str:
        """The value of its clips' `source` column."""
        return self.label or self.use

    def adds(self) -> Columns:
        """Columns of the corpus's own, beside those that every source gives."""
        return {}

    def left_out_by(self, columns: Sequence[str]) -> str:
        """What a recipe says in this source to be without some of the columns that it adds; "" where it cannot be."""
        return ""

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


_FORBIDDING = re.compile(r"no[ -]redistribution|not be redistributed|all[ -]rights[ -]reserved|panda-?70m|ego4d")
"""Panda-70M (github.com/snap-research/Panda-70M, LICENSE) and Ego4D (ego4d-data.org, licence agreement) by name; others
by the words that say it."""


def forbids_redistribution(license: str) -> bool:
    """Whether a licence, named or in words, rules out that its videos are published again."""
    return _FORBIDDING.search(license.lower()) is not None
