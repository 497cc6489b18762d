"""A clip of a source as a row of the table of clips."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ..contract.address import identity, without_secrets
from ..contract.clip import Columns, Values, clip_id
from ..contract.errors import ClipError, Reason
from ..contract.limits import MAX_TEXT
from ..contract.locations import MediaIdentity, media_stat, media_version, path_of
from ..contract.source import Source, SourceClip, SourceReject
from ..contract.text import clean
from ..contract.urls import is_url
from .arrow import read_table


def row_of(source: Source, clip: SourceClip) -> Values:
    """The columns of SOURCE_COLUMNS, then the source's own. Raises ClipError (missing_file, unreadable, refused, ...).

    A local file must be there and be a regular file (opening a FIFO never returns); its `media_version` is None, as
    `version_of` has to read it. An address is not looked up. What gives access to it stays in `media`, which is never
    published.
    """
    return {
        **names_of(source, clip),
        "source_url": _published(clip.source_url, name="source_url"),
        "license": _published(clip.license or source.license, name="license"),
        "media": clip.media,
        "media_version": _address(clip.media) if is_url(clip.media) else None,
        "media_stat": None if is_url(clip.media) else _stat(path_of(clip.media)),
        "start": clip.start,
        "end": clip.end,
        "source_caption": _published(clip.source_caption, name="source_caption"),
        **{name: _published(value, name=name) for name, value in clip.extra.items()},
    }


def names_of(source: Source, listed: SourceClip | SourceReject) -> dict[str, str]:
    """The columns that name a row of a source. A signature or a password is no part of a name; what a terminal would
    obey is not published, but tells two names apart.
    """
    source_id = without_secrets(listed.source_id)
    return {
        "clip_id": clip_id(source.shown_as, source_id, listed.start, listed.end),
        "source": source.shown_as,
        "source_id": clean(source_id),
    }


def _published(value: object, *, name: str) -> object:
    """A value as it may stand in a published row; a text of which nothing is left is none. Raises ClipError (limit)."""
    texts = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
    size = sum(map(len, texts))
    if size > MAX_TEXT:
        raise ClipError(Reason.LIMIT, f"{name}: {size} characters; there may be {MAX_TEXT}")
    if isinstance(value, list):
        return [_published(item, name=name) for item in value]
    return without_secrets(clean(value)) or None if isinstance(value, str) else value


def _address(url: str) -> str:
    """The file behind an address is not looked at; another address for the same clip is another file, but for its
    signature."""
    return hashlib.sha256(identity(url).encode()).hexdigest()[:16]


def version_of(media: str, stat: str, identity: MediaIdentity) -> str:
    """The `media_version` of a local file, of which `stat` is the `media_stat`: if it cannot be read, just that; the
    steps will say why.
    """
    try:
        return media_version(path_of(media), identity)
    except OSError:
        return stat


def _stat(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (undecodable bytes)
            raise ClipError(Reason.REFUSED, "not a regular file")
        return media_stat(path)
    except FileNotFoundError:
        raise ClipError(Reason.MISSING_FILE, "no such file") from None
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, error.strerror or type(error).__name__) from None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the clip table: `rows` clips and `rejected` rows that are none. `digest` names its exact content."""

    name: str
    rows: int
    rejected: int
    digest: str


@dataclass(frozen=True, slots=True)
class ClipTable:
    """The clips of all sources, in their order. `cleaned`: how many of their texts are not as the corpora have them."""

    folder: Path
    pieces: tuple[Piece, ...]
    columns: Columns
    cleaned: int = 0
    remarks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What is to be said of a source as a whole, by the name of the source."""

    @property
    def rows(self) -> int:
        return sum(piece.rows for piece in self.pieces)

    @property
    def rejected(self) -> int:
        return sum(piece.rejected for piece in self.pieces)

    @property
    def tables(self) -> list[Path]:
        """Where the clips are: a table a piece, in order."""
        return [self.folder / f"{piece.name}.arrow" for piece in self.pieces]

    @property
    def reject_tables(self) -> list[Path]:
        """Where the rows that are no clips are, in REJECT_COLUMNS: of the pieces that have any."""
        return [self.folder / f"{piece.name}.rejects.arrow" for piece in self.pieces if piece.rejected]

    def clips(self, piece: Piece) -> pa.Table:
        return read_table(self.folder / f"{piece.name}.arrow")

    def rejects(self, piece: Piece) -> pa.Table:
        """The piece's rows that are no clips, in REJECT_COLUMNS."""
        return read_table(self.folder / f"{piece.name}.rejects.arrow")
