"""A file on its way: what has come of it, and by what its server knows it again, so that only the rest is asked for.

<name>.part        the bytes so far
<name>.part.tag    the server's strong ETag or Last-Modified: where there is none, the file is begun anew
"""

from __future__ import annotations

from pathlib import Path

_LONGEST = 1000  # characters of a tag


class Part:
    """The file at `path`, which may be there from an earlier try, also one that was killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.tag")

    @property
    def tag(self) -> str | None:
        """What the next request is to hold the server to; None where there is nothing to go on from."""
        try:
            tag = self._note.read_text("ascii")
            return tag if tag.isprintable() and tag and self.path.stat().st_size else None
        except (FileNotFoundError, ValueError):
            return None

    def begin(self, *, etag: str, modified: str) -> None:
        """Note what an answer is known by. A weak ETag does not stand for the same bytes."""
        tag = etag if etag.startswith('"') else modified
        if 0 < len(tag) <= _LONGEST and tag.isascii() and tag.isprintable():
            self._note.write_text(tag, "ascii")
        else:
            self._note.unlink(missing_ok=True)

    def done(self) -> None:
        """All has come."""
        self._note.unlink(missing_ok=True)

    def drop(self) -> None:
        """Nothing is to be gone on from."""
        self.path.unlink(missing_ok=True)
        self.done()
