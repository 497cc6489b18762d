"""Interlaced video is told from progressive video by flags and by what is seen, and is shown without combs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media.interlacing import deinterlaced
from shotscribe.builder.media.video import decode, probe

LIMITS = Decode()
Moving = Callable[..., Iterable[np.ndarray]]
FULL = Sampling(every_s=0.2, long_side_px=1000)
SMALL = Sampling(every_s=0.2, long_side_px=80)


def woven(fields: Iterable[np.ndarray], *, first: int) -> Iterator[np.ndarray]:
    """Frames of two moments each: the even lines (0) or the odd ones (1) are of the first."""
    moments = list(fields)
    for early, late in zip(moments[::2], moments[1::2], strict=True):
        frame = late.copy()
        frame[first::2] = early[first::2]
        yield frame


def written(path: Path, images: Iterable[np.ndarray], *, flags: str | None, codec: str = "libx264") -> Path:
    """`flags`: tff or bff, None for progressive."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "10", "g": "12"} if codec == "libx264" else {"q": "2", "g": "12"}
        stream: Any = container.add_stream(codec, rate=25, options=options)
        graph: Graph | None = None
        if flags:
            stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion
        for index, image in enumerate(images):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format="yuv420p")
            if flags:
                graph = graph or flagging(frame, flags)
                graph.vpush(frame)
                frame = graph.vpull()
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def flagging(frame: av.VideoFrame, flags: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", flags), graph.add("buffersink")).configure()
    return graph


def combs(image: np.ndarray) -> float:
    """How much lines differ from their neighbours, over how much they differ from the next but one."""
    grey = image.astype(int).sum(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).sum() / np.abs(grey[2:] - grey[:-2]).sum())


def row_of(path: Path) -> dict[str, Any]:
    return probe(str(path), start=None, end=None, limits=LIMITS)


def images_of(path: Path, sampling: Sampling, *, interlaced: bool) -> list[np.ndarray]:
    end = row_of(path)["end"]
    kinds = {"limits": LIMITS, "interlaced": interlaced}
    return decode(str(path), start=0.0, end=end, samplings=[sampling], **kinds)[sampling].images  # type: ignore[arg-type]


@pytest.fixture(name="fields", scope="module")
def fields_fixture(moving: Moving) -> list[np.ndarray]:
    return list(moving(80, size=(288, 352), dx=5))


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize(("flags", "first"), [("tff", 0), ("bff", 1), (None, 0), (None, 1)])
def test_interlaced_frames_are_told_and_lose_their_combs(
    tmp_path: Path, fields: list[np.ndarray], codec: str, flags: str | None, first: int
) -> None:
    """Flagged or not, whichever field comes first."""
    path = written(tmp_path / "i.mkv", woven(fields, first=first), flags=flags, codec=codec)
    assert row_of(path)["interlaced"] is True
    assert min(map(combs, images_of(path, FULL, interlaced=False))) > 1.2
    for sampling in (FULL, SMALL):
        assert max(map(combs, images_of(path, sampling, interlaced=True))) < 0.9
    assert images_of(path, FULL, interlaced=True)[0].shape == (288, 352, 3)


def test_progressive_frames_are_told_whatever_their_flags(tmp_path: Path, fields: list[np.ndarray]) -> None:
    for flags in ("tff", None):
        path = written(tmp_path / f"{flags}.mkv", fields[:40], flags=flags)
        assert row_of(path)["interlaced"] is False, flags
    rolling = [np.roll(fields[0], -shift, axis=0) for shift in range(40)]  # a list of names at a line a frame
    assert row_of(written(tmp_path / "rolling.mkv", rolling, flags=None))["interlaced"] is False


def test_flags_are_believed_where_nothing_moves(tmp_path: Path, fields: list[np.ndarray]) -> None:
    assert row_of(written(tmp_path / "still.mkv", [fields[0]] * 40, flags="tff"))["interlaced"] is True
    assert row_of(written(tmp_path / "plain.mkv", [fields[0]] * 40, flags=None))["interlaced"] is False


def test_combs_are_found_after_a_still_opening(tmp_path: Path, fields: list[np.ndarray]) -> None:
    frames = chain([fields[0]] * 30, woven(fields, first=0))
    assert row_of(written(tmp_path / "late.mkv", frames, flags=None))["interlaced"] is True


def test_film_on_sixty_fields_a_second_is_interlaced(tmp_path: Path, fields: list[np.ndarray]) -> None:
    film = [
        frame for group in zip(fields[::2], fields[1::2], strict=True) for frame in (*[group[0]] * 2, *[group[1]] * 3)
    ]
    assert row_of(written(tmp_path / "film.mkv", woven(film, first=0), flags=None))["interlaced"] is True


@pytest.mark.parametrize(("flags", "first"), [("tff", 0), ("bff", 1), (None, 0), (None, 1)])
@pytest.mark.parametrize("count", [1, 2, 25])
def test_deinterlacing_gives_as_many_frames_as_it_gets(
    tmp_path: Path, fields: list[np.ndarray], flags: str | None, first: int, count: int
) -> None:
    path = written(tmp_path / "i.mkv", woven(fields[: 2 * count], first=first), flags=flags)
    with av.open(str(path)) as container:
        shown = [(index, index + 1, frame.pts, frame) for index, frame in enumerate(container.decode(video=0))]
        got = list(deinterlaced(iter(shown)))
    assert [one[:3] for one in got] == [one[:3] for one in shown]
    images = [frame.to_ndarray(format="rgb24") for *_, frame in got]
    for (*_, before), (*_, after) in zip(shown, got, strict=True):
        for tag in ("colorspace", "color_range", "color_trc", "color_primaries"):
            assert getattr(before, tag) == getattr(after, tag), tag
    if count > 2:
        assert max(map(combs, images[1:-1])) < 0.9
        ours = [float(np.abs(image.astype(int) - fields[2 * at]).mean()) for at, image in enumerate(images)]
        assert np.median(ours) < np.median(
            [float(np.abs(image.astype(int) - fields[2 * at + 1]).mean()) for at, image in enumerate(images)]
        )  # they are of the first field's moment
    assert all(a.shape == b.shape for a, b in pairwise(images))
