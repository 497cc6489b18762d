"""A clip of a source as a row of the table of clips."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any

from .address import identity, without_secrets
from .cells import MAX_TEXT
from .clip import clip_id, media_version, path_of
from .errors import ClipError, Reason
from .places import is_url
from .source import Source, SourceClip, SourceReject
from .text import clean


def row_of(source: Source, clip: SourceClip) -> dict[str, Any]:
    """The columns of SOURCE_COLUMNS, then the source's own. Raises ClipError (missing_file, unreadable, refused, ...).

    A local file must be there and be a regular file (opening a FIFO never returns); an address is not looked up. What
    gives access to it stays in `media`, which is never published.
    """
    return {
        **names_of(source, clip),
        "source_url": _published(clip.source_url, name="source_url"),
        "license": _published(clip.license or source.license, name="license"),
        "media": clip.media,
        "media_version": _address(clip.media) if is_url(clip.media) else _version(path_of(clip.media)),
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


def _published(value: Any, *, name: str) -> Any:
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


def _version(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (undecodable bytes)
            raise ClipError(Reason.REFUSED, "not a regular file")
        return media_version(path)
    except FileNotFoundError:
        raise ClipError(Reason.MISSING_FILE, "no such file") from None
    except OSError as error:
        raise ClipError(Reason.UNREADABLE, error.strerror or type(error).__name__) from None
