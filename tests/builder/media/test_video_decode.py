"""What the planned decoding gives must be, to the pixel, what decoding every frame in turn gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.errors import ClipError, Reason, RunError
from shotscribe.builder.contract.frames import Sampling
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.media import frames as frames_module
from shotscribe.builder.media import images as images_module
from shotscribe.builder.media import moments as moments_module
from shotscribe.builder.media import video
from shotscribe.builder.media.frames import plan
from shotscribe.builder.media.packets import Span, scan
from shotscribe.builder.media.reader import Origin, Reader
from shotscribe.builder.media.video import decode, probe

FULL = 1_000_000
LIMITS = Decode()


def x264(params: str) -> dict[str, Any]:
    return {"options": {"preset": "fast", "x264-params": f"keyint=12:scenecut=0:{params}"}}


MEDIA: dict[str, dict[str, Any]] = {
    "closed.mp4": x264("bframes=3:b-pyramid=normal"),
    "open.mp4": x264("bframes=3:b-pyramid=normal:open-gop=1"),
    "open.ts": x264("bframes=3:open-gop=1"),
    "flat.mp4": x264("bframes=3:b-pyramid=none:b-adapt=0"),
    "flat.ts": x264("bframes=3:b-pyramid=none:b-adapt=0"),
    "refresh.mkv": x264("intra-refresh=1"),
    "untimed.avi": x264("bframes=3"),
    "varying.mkv": x264("bframes=3") | {"times": list(accumulate(random.Random(1).choices([0.02, 0.1, 0.4], k=60)))},
    "late.mp4": x264("bframes=3") | {"times": [3.7 + index / 25 for index in range(60)]},
    "slow.mp4": x264("bframes=2") | {"times": [10.0 * index for index in range(60)]},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"preset": "fast", "x265-params": "keyint=12:bframes=4:open-gop=1:log-level=none"},
    },
    "layers.mp4": {
        "codec": "libx265",
        "options": {"preset": "fast", "x265-params": "keyint=16:bframes=7:temporal-layers=3:log-level=none"},
    },
    "alt.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "5", "g": "12", "lag-in-frames": "16"}},
    "vp8.webm": {"codec": "libvpx", "options": {"cpu-used": "5", "g": "12", "auto-alt-ref": "1", "lag-in-frames": "9"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "10", "g": "16", "svtav1-params": "lp=1"}},
}


@dataclass(frozen=True)
class Truth:
    path: Path
    times: np.ndarray
    images: list[np.ndarray]

    @property
    def end(self) -> float:
        return float(self.times[-1] + (self.times[-1] - self.times[-2]))


def in_turn(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for index, frame in enumerate(container.decode(stream)):
            at = index / 25 if path.suffix == ".avi" else frame.pts * float(stream.time_base)
            yield at, frame.to_ndarray(format="rgb24", interpolation="AREA")


@pytest.fixture(scope="module")
def truth(
    tmp_path_factory: pytest.TempPathFactory, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]]
) -> Callable[[str], Truth]:
    folder = tmp_path_factory.mktemp("media")
    known: dict[str, Truth] = {}

    def make(name: str) -> Truth:
        if name not in known:
            noise = np.random.default_rng(0)
            images = [np.bitwise_xor(i, noise.integers(0, 24, i.shape, np.uint8)) for i in moving(60, size=(64, 96))]
            path = encode(folder / name, images, fps=25, **MEDIA[name])
            times, decoded = zip(*in_turn(path), strict=True)
            known[name] = Truth(path, np.array(times) - min(times), list(decoded))
        return known[name]

    return make


def expected(truth: Truth, start: float, end: float, times: Iterable[float]) -> list[int]:
    """Brute force: the last frame that has begun, of those that begin before the clip ends."""
    on_screen = []
    for time in times:
        begun = [i for i, t in enumerate(truth.times) if t <= start + time + 0.002 and (t < end - 0.002 or t <= start)]
        on_screen.append(begun[-1] if begun else 0)
    return sorted(set(on_screen))


def check(truth: Truth, start: float, end: float, sampling: Sampling) -> None:
    seconds = end - start
    times = [f * seconds for f in sampling.fractions]
    if sampling.every_s:
        times = [k * sampling.every_s for k in range(10_000) if k * sampling.every_s < seconds - 1e-9] or [0.0]
    times += [seconds] if sampling.with_last else []
    want = expected(truth, start, end, times)
    got = decode(str(truth.path), start=start, end=end, samplings=[sampling], limits=LIMITS)[sampling]
    np.testing.assert_allclose(got.times, np.maximum(0, truth.times[want] - start), atol=1e-3)
    for index, image in zip(want, got.images, strict=True):
        np.testing.assert_array_equal(image, truth.images[index])


@pytest.mark.parametrize("name", MEDIA)
def test_the_whole_file_is_decoded_to_the_pixel(truth: Callable[[str], Truth], name: str) -> None:
    clip = truth(name)
    check(clip, 0.0, clip.end, Sampling(every_s=clip.end / 57, with_last=True, long_side_px=FULL))
    check(clip, 0.0, clip.end, Sampling(fractions=(0.0, 0.5, 1.0), long_side_px=FULL))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(MEDIA)),
    edges=st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda e: abs(e[0] - e[1]) > 0.02),
    on_frame=st.booleans(),
    every=st.none() | st.floats(0.01, 0.7),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    with_last=st.booleans(),
)
def test_any_range_and_sampling_is_decoded_to_the_pixel(
    truth: Callable[[str], Truth],
    name: str,
    edges: tuple[float, float],
    on_frame: bool,
    every: float | None,
    fractions: list[float],
    with_last: bool,
) -> None:
    clip = truth(name)
    start, end = (edge * clip.end for edge in sorted(edges))
    if on_frame:
        start = float(clip.times[np.searchsorted(clip.times, start, "right") - 1])
    chosen = Sampling(
        every_s=None if every is None else every * clip.end / 2,
        fractions=tuple(fractions) if every is None else (),
        with_last=with_last,
        long_side_px=FULL,
    )
    check(clip, start, end, chosen)


@pytest.mark.parametrize("name", [n for n in MEDIA if n not in {"refresh.mkv", "untimed.avi"}])
def test_the_plan_is_what_decodes(truth: Callable[[str], Truth], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Iterator[Any]:
        raise AssertionError("fell back to decoding everything")

    monkeypatch.setattr(frames_module, "_plainly", never)
    clip = truth(name)
    check(clip, 0.55 * clip.end, clip.end, Sampling(every_s=clip.end / 13, long_side_px=FULL))


@pytest.fixture
def run_frames(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The timestamps of what is decoded by plan."""
    frames: list[int] = []
    original = frames_module._run

    def counting(*args: Any, **options: Any) -> Iterator[Any]:
        for frame in original(*args, **options):
            frames.append(frame.pts)
            yield frame

    monkeypatch.setattr(frames_module, "_run", counting)
    return frames


def test_unwanted_frames_are_left_out(truth: Callable[[str], Truth], run_frames: list[int]) -> None:
    clip = truth("closed.mp4")
    one = Sampling(fractions=(0.7,))
    assert len(decode(str(clip.path), start=0.0, end=clip.end, samplings=[one], limits=LIMITS)[one].images) == 1
    assert len(run_frames) < 8


def bidirectional(path: Path) -> list[bool]:
    """Of each frame in order, whether it is a B-frame: with b-pyramid=none no other refers to these."""
    with av.open(str(path)) as container:
        return [int(frame.pict_type) == 3 for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["flat.mp4", "flat.ts"])
def test_packets_say_which_frames_are_referred_to(truth: Callable[[str], Truth], name: str) -> None:
    clip = truth(name)
    with Reader(str(clip.path), max_pixels=LIMITS.max_pixels) as reader:
        span = scan(reader, start=0.0, end=clip.end, max_frames=100)
    assert (~span.referred[np.argsort(span.pts)]).tolist() == bidirectional(clip.path)


@pytest.mark.parametrize(("name", "some"), [("hevc.mp4", True), ("layers.mp4", False), ("alt.webm", False)])
def test_frames_are_referred_to_where_nobody_can_tell(truth: Callable[[str], Truth], name: str, some: bool) -> None:
    clip = truth(name)
    with Reader(str(clip.path), max_pixels=LIMITS.max_pixels) as reader:
        referred = scan(reader, start=0.0, end=clip.end, max_frames=100).referred
    assert referred.any()
    assert (not referred.all()) is some


@pytest.mark.parametrize("name", ["flat.mp4", "flat.ts"])
def test_a_loose_sampling_takes_what_others_refer_to(
    truth: Callable[[str], Truth], name: str, run_frames: list[int]
) -> None:
    clip, loose = truth(name), Sampling(every_s=0.12, loose=True, long_side_px=FULL)
    got = decode(str(clip.path), start=0.0, end=clip.end, samplings=[loose], limits=LIMITS)[loose]
    index = np.abs(clip.times[:, None] - got.times).argmin(axis=0)
    assert not any(np.array(bidirectional(clip.path))[index[:-1]])
    assert set(np.diff(index[:-1])) <= {2, 3, 4, 5}  # about three frames apart
    assert len(run_frames) <= 24
    for place, image in zip(index, got.images, strict=True):
        np.testing.assert_array_equal(image, clip.images[place])


def test_a_loose_sampling_does_not_depend_on_others(truth: Callable[[str], Truth]) -> None:
    clip, loose = truth("flat.mp4"), Sampling(every_s=0.12, loose=True)
    alone, beside = (
        decode(str(clip.path), start=0.3, end=clip.end, samplings=samplings, limits=LIMITS)[loose]
        for samplings in ([loose], [loose, Sampling(every_s=0.04)])
    )
    assert alone.times.tolist() == beside.times.tolist()


@pytest.mark.parametrize("name", ["closed.mp4", "untimed.avi", "layers.mp4", "mpeg2.mpg"])
def test_a_loose_sampling_is_exact_where_little_is_to_be_saved(truth: Callable[[str], Truth], name: str) -> None:
    clip = truth(name)
    check(clip, 0.0, clip.end, Sampling(every_s=0.12, loose=True, long_side_px=FULL))


def test_where_no_frame_near_enough_is_referred_to_the_one_on_screen_is_taken() -> None:
    seconds = np.arange(13) * 0.1
    chosen = moments_module._about(seconds, np.array([0, 6, 12]), first=0, last=11, apart_s=0.2)
    assert chosen.tolist() == [0, 2, 6, 8, 10, 11]


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, np.ndarray]:
    """Groups of pictures in decoding order, whose first frames may be shown before the key frame; some are wanted."""
    pts: list[int] = []
    keys: list[bool] = []
    for _ in range(draw(st.integers(1, 6))):
        leading, others = draw(st.integers(0, 3)), draw(st.integers(0, 5))
        shown = range(len(pts), len(pts) + leading + 1 + others)
        pts += [shown[leading], *shown[:leading], *shown[leading + 1 :]]
        keys += [True] + [False] * (leading + others)
    wanted = draw(st.sets(st.sampled_from(pts), min_size=1))
    shown = np.ones(len(pts), np.bool_)
    span = Span(Origin(), 0.04, 0, np.array(pts), np.array(keys), shown, shown, None, True)
    return span, np.array(sorted(wanted))


@given(spans())
def test_a_plan_holds_what_the_wanted_frames_may_refer_to(case: tuple[Span, np.ndarray]) -> None:
    span, wanted = case
    runs = plan(span, wanted)
    decoded = [index for first, stop in runs for index in range(first, stop)]
    assert decoded == sorted(set(decoded))
    assert set(wanted) <= set(span.pts[decoded])
    keys = np.flatnonzero(span.keys)
    assert all(span.keys[first] for first, _ in runs)
    for index in np.flatnonzero(np.isin(span.pts, wanted)):
        key = keys[keys <= index][-1]
        needed = range(key, index + 1)
        if span.pts[index] < span.pts[key] and key > 0:  # shown before its key frame: also the whole group before
            needed = range(keys[keys < key][-1], index + 1)
        assert set(needed) <= set(decoded)
    assert all(span.pts[stop - 1] in wanted for _, stop in runs)


def grey(image: np.ndarray) -> np.ndarray:
    return image.astype(float) @ [0.299, 0.587, 0.114]


def test_samplings_are_downscaled_and_share_frames(truth: Callable[[str], Truth]) -> None:
    clip = truth("closed.mp4")
    small, twin, large = (
        Sampling(every_s=0.5, long_side_px=48),
        Sampling(fractions=(0.0,), long_side_px=48),
        Sampling(0.5),
    )
    got = decode(str(clip.path), start=0.0, end=clip.end, samplings=[small, twin, large], limits=LIMITS)
    assert {image.shape for image in got[small].images} == {(32, 48, 3)}
    assert {image.shape for image in got[large].images} == {(64, 96, 3)}  # never up
    assert got[twin].images[0] is got[small].images[0]
    exact = truth("closed.mp4").images[0].astype(float).reshape(32, 2, 48, 2, 3).mean((1, 3))
    assert np.abs(grey(got[small].images[0]) - grey(exact)).mean() < 2


def test_many_times_on_one_frame_give_it_once(truth: Callable[[str], Truth]) -> None:
    clip = truth("slow.mp4")
    often = Sampling(every_s=1.0)
    got = decode(str(clip.path), start=15.0, end=35.0, samplings=[often], limits=LIMITS)[often]
    assert got.times.tolist() == [0.0, 5.0, 15.0]  # the first was on screen before the clip began


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_frames_stand_upright(
    tmp_path: Path, encode: Callable[..., Path], moving: Callable[..., Iterable[np.ndarray]], degrees: int
) -> None:
    """The same coded picture with and without the rotation flag."""
    plain = encode(tmp_path / "plain.mp4", moving(5, size=(64, 96)))
    turned = tmp_path / "turned.mp4"
    with av.open(str(plain)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    first = Sampling(fractions=(0.0,), long_side_px=FULL)
    clip = probe(str(turned), start=None, end=None, limits=LIMITS)
    assert (clip["width"], clip["height"]) == ((96, 64) if degrees == 180 else (64, 96))
    assert clip["rotation"] == 360 - degrees
    images = [
        decode(str(path), start=0.0, end=clip["end"], samplings=[first], limits=LIMITS)[first].images[0]
        for path in (plain, turned)
    ]
    np.testing.assert_array_equal(np.rot90(images[0], k=degrees // 90), images[1])


def test_limits(truth: Callable[[str], Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    clip = truth("closed.mp4")
    every = Sampling(every_s=0.04)

    def rejection(limits: Decode, sampling: Sampling = every) -> str:
        with pytest.raises(ClipError) as caught:
            decode(str(clip.path), start=0.0, end=clip.end, samplings=[sampling], limits=limits)
        assert caught.value.rejection.reason is Reason.LIMIT
        return caught.value.rejection.detail

    assert rejection(Decode(max_pixels=6000)) == "max_pixels: 96x64 = 6144 > 6000"
    assert rejection(Decode(max_frames=50)).startswith("max_frames: ")
    assert "sampling times" in rejection(LIMITS, Sampling(every_s=1e-7))
    monkeypatch.setattr(images_module, "MAX_BYTES", 60 * 96 * 64 * 3 - 1)
    assert "bytes of sampled frames: 1105920 > 1105919" in rejection(LIMITS)


def damaged(path: Path, target: Path, first: int, stop: int) -> Path:
    """A copy in which the payload of the packets first..stop is noise."""
    noise = random.Random(0)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for position, size in packets[first:stop]:
        content[position : position + size] = noise.randbytes(size)
    target.write_bytes(content)
    return target


def test_a_clip_with_a_stretch_that_cannot_be_decoded_is_rejected(
    truth: Callable[[str], Truth], tmp_path: Path
) -> None:
    clip = truth("closed.mp4")
    every = Sampling(every_s=0.04, long_side_px=FULL)
    broken = str(damaged(clip.path, tmp_path / "broken.mp4", 24, 48))
    with pytest.raises(ClipError, match=r"frame at .* s of 2\.40 s cannot be decoded; the nearest good one is at"):
        decode(broken, start=0.0, end=clip.end, samplings=[every], limits=LIMITS)
    scratched = str(damaged(clip.path, tmp_path / "scratched.mp4", 24, 26))
    with pytest.raises(ClipError, match="cannot be decoded"):  # up to the next key frame it is made of nothing
        decode(scratched, start=0.0, end=clip.end, samplings=[every], limits=LIMITS)
    scratched = str(damaged(clip.path, tmp_path / "scratched.mp4", 44, 46))
    got = decode(scratched, start=0.0, end=clip.end, samplings=[every], limits=LIMITS)[every]
    assert 40 < len(got.images) < 60
    assert (np.diff(got.times) > 0).all()
    good = decode(broken, start=0.0, end=0.8, samplings=[every], limits=LIMITS)[every]
    assert len(good.images) == 20  # the damage is elsewhere
    nothing = damaged(clip.path, tmp_path / "nothing.mp4", 0, 60)
    with pytest.raises(ClipError, match="no frame can be decoded"):
        probe(str(nothing), start=None, end=None, limits=LIMITS)


def test_decord_gives_the_same_frames(truth: Callable[[str], Truth]) -> None:
    pytest.importorskip("decord")
    clip = truth("late.mp4")
    samplings = [Sampling(every_s=0.3, long_side_px=FULL), Sampling(fractions=(0.2, 1.0), long_side_px=48)]
    ours = decode(str(clip.path), start=0.31, end=2.0, samplings=samplings, limits=LIMITS)
    theirs = decode(str(clip.path), start=0.31, end=2.0, samplings=samplings, limits=Decode(decoder="decord"))
    for sampling in samplings:
        np.testing.assert_allclose(ours[sampling].times, theirs[sampling].times, atol=1e-4)
        for mine, other in zip(ours[sampling].images, theirs[sampling].images, strict=True):
            assert mine.shape == other.shape
            if sampling.long_side_px == FULL:
                np.testing.assert_array_equal(mine, other)
            else:  # scaled as RGB, not as YUV
                assert np.abs(grey(mine) - grey(other)).mean() < 2


def test_decord_not_installed_says_what_to_do(truth: Callable[[str], Truth], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "decord", None)
    with pytest.raises(RunError, match=r"shotscribe\[decord\]"):
        video.decode(str(truth("closed.mp4").path), start=0.0, end=1.0, samplings=[], limits=Decode(decoder="decord"))
