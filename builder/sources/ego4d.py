"""Ego4D: a download made by its official command (gated by a signed licence)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..contract.clip import Columns, Row, Values
from ..contract.errors import ClipError, Reason, RunError
from ..contract.locations import RecipePath
from ..contract.source import Source, SourceClip, SourceReject
from ._ego4d import Entry, Video, by_uid, load, narrations_of, readable, video_of
from ._root import Root
from ._tables.cells import number, text, time_range

LICENSE = "Ego4D: signed licence agreement, no redistribution of the videos"


class Ego4d(Source):
    """Whole videos, the annotated clips, or windows around narrations; in the order of their sorted uids.

    What was redacted is left out: a video is split into the parts between its redacted intervals; a clip or a window
    that touches one is rejected (excluded), as is all of a stereoscopic video, which shows both eyes side by side.
    ego4d.json and narration.json are read whole: some GB for the full set.
    """

    redistributable: ClassVar[bool] = False

    use: Literal["ego4d"] = "ego4d"
    license: str | None = LICENSE
    """License of the clips."""
    root: RecipePath
    """The output directory that the `ego4d` command was given."""
    release: str = Field("v2", pattern=r"^[A-Za-z0-9_-]+$")
    """The release's folder in it: v1, v2 or v2_1."""
    mode: Literal["videos", "clips", "narrations"] = "clips"
    """videos: whole. clips: those of ego4d.json, from clips/ or cut from the videos. narrations: windows at them."""
    window_s: Annotated[float, Field(gt=0, le=600)] = 4.0
    """Seconds of a window; the narration's moment is its middle."""
    passes: tuple[Literal[1, 2], ...] = (1,)
    """The annotation passes to read. A video that lacks one gives nothing for it."""
    unsure: bool = False
    """Keep narrations with the tag #unsure, with `something` in its place; otherwise they are rejected (excluded)."""
    video_uid_file: RecipePath | None = None
    """A text file of video uids, as the command takes it: read only these. One without a file is rejected."""

    def adds(self) -> Columns:
        return {"scenarios": ["string"]}

    def described(self) -> list[tuple[str, str]]:
        Root(self.root / self.release, name="ego4d")
        return []

    def clips(self, work: Path) -> Iterator[SourceClip | SourceReject]:
        folder = self.root / self.release
        root = Root(folder, name="ego4d")
        listing = load(folder / "ego4d.json")
        entries, rejects = by_uid(listing.get("videos"), key="video_uid")
        wanted = self._wanted()
        entries = {uid: entry for uid, entry in entries.items() if wanted is None or uid in wanted}
        if not entries:
            raise RunError(f"ego4d: {folder / 'ego4d.json'} lists none of the videos asked for")
        if wanted is None:
            yield from rejects
        if self.mode == "clips":
            yield from self._annotated(listing, entries, root)
            return
        narrations = self._narrations() if self.mode == "narrations" else {}
        for uid, entry in entries.items():
            try:
                video = video_of(entry)
                media = video.file(root).media
                whole = _whole(video, media) if self.mode == "videos" else []
            except ClipError as error:
                yield SourceReject(uid, error.rejection)
                continue
            yield from whole
            yield from self._windows(video, media, narrations.get(uid))

    def _wanted(self) -> frozenset[str] | None:
        if self.video_uid_file is None:
            return None
        try:
            return frozenset(self.video_uid_file.read_text("utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"ego4d: {self.video_uid_file}: cannot be read: {error}") from error

    def _narrations(self) -> Row:
        path = self.root / self.release / "annotations" / "narration.json"
        if not path.is_file():
            raise RunError(f"ego4d: no {path}; fetch it with `ego4d --datasets annotations`")
        whole = load(path)
        videos = whole.get("videos", whole)
        if not isinstance(videos, dict):
            raise RunError(f"ego4d: {path}: no object of narrations by video_uid; download it again")
        return videos

    def _annotated(
        self, listing: Entry, videos: Mapping[str, Entry], root: Root
    ) -> Iterator[SourceClip | SourceReject]:
        clips, rejects = by_uid(listing.get("clips"), key="clip_uid")
        if not clips:
            raise RunError("ego4d: ego4d.json has no clips; use `mode: videos` or `mode: narrations`")
        yield from rejects
        for uid, clip in clips.items():
            entry = videos.get(str(clip.get("video_uid")))
            try:
                if entry is not None:
                    yield _annotated_clip(uid, clip, video_of(entry), root)
                elif self.video_uid_file is None:
                    raise ClipError(Reason.BAD_ROW, "video_uid names no video of ego4d.json")
            except ClipError as error:
                yield SourceReject(uid, error.rejection)

    def _windows(self, video: Video, media: str, narrated: object) -> Iterator[SourceClip | SourceReject]:
        for name, narration in narrations_of(narrated, self.passes):
            source_id = f"{video.uid}/{name}"
            try:
                start, end, caption = self._window(narration, video)
            except ClipError as error:
                yield SourceReject(source_id, error.rejection)
            else:
                yield SourceClip(source_id, media, start, end, source_caption=caption, extra=_extra(video))

    def _window(self, narration: Any, video: Video) -> tuple[float, float, str]:
        """Start, end and text of a narration, which is a moment. Raises ClipError (bad_row, out_of_range, excluded)."""
        told = text(narration.get("narration_text")) if isinstance(narration, dict) else None
        moment = number(narration.get("timestamp_sec"), name="timestamp_sec") if told else None
        if told is None or moment is None or not (caption := readable(told)):
            raise ClipError(Reason.BAD_ROW, "narration without text or timestamp_sec")
        if moment < 0 or (video.length_s is not None and moment >= video.length_s):
            raise ClipError(Reason.OUT_OF_RANGE, f"timestamp_sec {moment:g} is outside the video")
        if not self.unsure and "#unsure" in told.lower():
            raise ClipError(Reason.EXCLUDED, "narration tagged #unsure", "unsure")
        start, end = max(0.0, moment - self.window_s / 2), moment + self.window_s / 2
        end = end if video.length_s is None else min(end, video.length_s)
        video.check_clear(start, end)
        return start, end, caption


def _whole(video: Video, media: str) -> list[SourceClip]:
    """The whole video, or the parts of it. Raises ClipError (bad_row)."""
    if not video.redacted:
        return [SourceClip(video.uid, media, extra=_extra(video))]
    return [SourceClip(video.uid, media, start, end, extra=_extra(video)) for start, end in video.parts()]


def _annotated_clip(uid: str, clip: Entry, video: Video, root: Root) -> SourceClip:
    """Raises ClipError (bad_row, out_of_range, excluded, missing_file)."""
    start, end = time_range(clip.get("video_start_sec"), clip.get("video_end_sec"))
    if start is None or end is None:
        raise ClipError(Reason.BAD_ROW, "clip without video_start_sec or video_end_sec")
    video.check_clear(start, end)
    if cut := root.find(f"clips/{uid}"):
        return SourceClip(uid, cut.media, extra=_extra(video))
    return SourceClip(uid, video.file(root).media, start, end, extra=_extra(video))


def _extra(video: Video) -> Values:
    return {"scenarios": list(video.scenarios)}
