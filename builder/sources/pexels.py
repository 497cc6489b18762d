"""Pexels: saved answers of its API, or the Pexels-400k table, and a folder of the videos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..contract.clip import Columns, Row
from ..contract.errors import ClipError, Reason, RunError
from ..contract.locations import RecipePath, printable
from ..contract.source import Source, SourceClip, SourceReject
from ._root import Root
from ._tables.cells import number, text
from ._tables.tabular import Record, bad, layout_of, records

_TITLE_SUFFIX = " · Free Stock Video"
_PAGE_BYTES = 256 << 20
_COLUMNS = ("title", "thumbnail", "video", "view_count")  # of jovianzm/Pexels-400k


class Pexels(Source):
    """One clip a video, whole, in the order of the sorted pages or of the table.

    A video's file is `<id>.mp4` (or another usual ending) in the folder. Its caption is the title, or else the words of
    the page's address.
    """

    use: Literal["pexels"] = "pexels"
    license: str | None = "pexels"
    """License of the clips."""
    path: RecipePath
    """API answers (a .json file, or a folder of them: `videos[]`), or a table: title, thumbnail, video, view_count."""
    videos: RecipePath
    """The folder of videos."""

    def adds(self) -> Columns:
        return {"author": "string", "view_count": "int64"}

    def described(self) -> list[tuple[str, str]]:
        Root(self.videos, name="pexels videos")
        if self._is_table():
            return [("reads", layout_of(self.path).described())]
        if not self.path.exists():
            raise RunError(f"pexels: {self.path}: no such file or folder; save the answers of the API there")
        return [("reads", "saved answers of the API")]

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        root = Root(self.videos, name="pexels videos")
        is_table = self._is_table()
        entries = _table(self.path) if is_table else _pages(self.path)
        for entry in entries:
            if isinstance(entry, SourceReject):
                yield entry
                continue
            try:
                yield (_of_table if is_table else _of_api)(entry.cells, root)
            except ClipError as error:
                yield SourceReject(entry.place, error.rejection)

    def _is_table(self) -> bool:
        return self.path.is_file() and self.path.suffix.lower() != ".json"


def _table(path: Path) -> Iterator[Record | SourceReject]:
    layout = layout_of(path)
    columns = ["video", *(name for name in _COLUMNS if name in layout.columns and name != "video")]
    return records(layout, columns, media="video")


def _pages(path: Path) -> Iterator[Record | SourceReject]:
    """Each video of each page; `place` is `<file> video 3`."""
    pages = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not pages or not pages[0].is_file():
        raise RunError(f"pexels: {path} holds no .json files; save the answers of the API there, or name a table")
    for page in pages:
        name = printable(page.relative_to(path)) if path.is_dir() else printable(page.name)
        try:
            with page.open("rb") as file:
                answer = json.loads(file.read(_PAGE_BYTES))
        except OSError as error:
            raise RunError(f"pexels: {page}: cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError):
            yield bad(name, "not JSON")
            continue
        videos = answer.get("videos") if isinstance(answer, dict) else answer
        if not isinstance(videos, list):
            yield bad(name, "no list of videos")
            continue
        for index, video in enumerate(videos, start=1):
            place = f"{name} video {index}"
            yield Record(place, video) if isinstance(video, dict) else bad(place, "not a JSON object")


def _of_api(video: Row, root: Root) -> SourceClip:
    found = video.get("id")
    if isinstance(found, bool) or not isinstance(found, int | str) or not re.fullmatch(r"\d{1,18}", str(found)):
        raise ClipError(Reason.BAD_ROW, "id is no number")
    url = text(video.get("url"))
    user = video.get("user")
    author = text(user.get("name")) if isinstance(user, dict) else None
    return _clip(str(found), root, url=url, caption=_slug(url), author=author, views=None)


def _of_table(row: Row, root: Root) -> SourceClip:
    addresses = [text(row.get(name)) or "" for name in ("video", "thumbnail")]
    number_in = next((found for address in addresses if (found := _id_in(address))), None)
    if number_in is None:
        raise ClipError(Reason.BAD_ROW, "no video id in the columns video and thumbnail")
    url = f"https://www.pexels.com/video/{number_in}/"
    title = text((text(row.get("title")) or "").removesuffix(_TITLE_SUFFIX))
    views = number(row.get("view_count"), name="view_count")
    caption = title or _slug(addresses[0])
    return _clip(number_in, root, url=url, caption=caption, author=None, views=None if views is None else int(views))


def _clip(
    found: str, root: Root, *, url: str | None, caption: str | None, author: str | None, views: int | None
) -> SourceClip:
    place = root.find(found)
    if place is None:
        raise ClipError(Reason.MISSING_FILE, f"video {found} is not in the folder")
    extra = {"author": author, "view_count": views}
    return SourceClip(found, place.media, source_url=url, source_caption=caption, extra=extra)


def _id_in(address: str) -> str | None:
    """The id in an address: /video/a-dog-857195/, /video-files/857195/857195-hd.mp4, /videos/857195/poster.jpg."""
    match = re.search(r"/(?:download/)?videos?(?:-files)?/(?:[^/?]*-)?(\d{1,18})(?=[/.?]|$)", address)
    return match[1] if match else None


def _slug(url: str | None) -> str | None:
    """The words of a page's address: .../video/a-dog-on-a-beach-857195/ gives `a dog on a beach`."""
    match = re.search(r"/video/([^/?#]*+)/?(?:[?#]|$)", url or "")
    return text(match[1].rstrip("0123456789").replace("-", " ")) if match else None
