"""The step ocr, on the engine rapidocr with its real weights, over clips with text in them and text over them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from shotscribe.builder.contract.clip import Clip
from shotscribe.builder.contract.engine import Engine, TextLine
from shotscribe.builder.contract.frames import Frames, Images, Sampling
from shotscribe.captioners.engines.rapidocr import RapidOcr
from shotscribe.filters.ocr import Ocr

pytest.importorskip("rapidocr")

WIDTH, HEIGHT, FPS = 640, 360, 10
WORDS = (
    *("market", "harbour", "window", "people", "nothing", "station", "morning", "doctor", "river", "yellow", "garden"),
    *("letter", "winter", "always", "kitchen", "brother", "silver", "tomorrow", "engine", "village", "number"),
    "planet",
)
MOTIONS = ("slow pan", "pan", "fast pan", "zoom", "handheld", "cut", "still", "walker")
STILL = ("still", "walker")
FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")


@dataclass
class Drawn:
    """A clip, and the texts that were laid over it and drawn into its scene. `hidden`: watermarks of still pictures,
    which nothing tells from text in them.
    """

    frames: list[np.ndarray]
    motion: str
    overlays: list[tuple[str, str]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    scene: list[str] = field(default_factory=list)

    @property
    def duration(self) -> float:
        return len(self.frames) / FPS


def font(chance: np.random.Generator, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / chance.choice(FONTS)), size)


def words(chance: np.random.Generator, count: int) -> str:
    return " ".join(chance.choice(WORDS, count, replace=False).tolist())


def ground(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Surfaces and things of many sizes, sharp and soft."""
    picture = Image.new("RGB", (width, height), tuple(chance.integers(40, 200, 3).tolist()))
    for cells, strength in ((6, 0.5), (24, 0.3), (120, 0.12)):
        grain = chance.integers(0, 256, (max(2, cells * height // width), cells, 3), np.uint8)
        surface = Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC)
        picture = Image.blend(picture, surface, strength)
    draw = ImageDraw.Draw(picture)
    for _ in range(width * height // 20_000):
        left, top = chance.integers(0, width), chance.integers(0, height)
        size = chance.integers(10, 120, 2)
        shape = (int(left), int(top), int(left + size[0]), int(top + size[1]))
        color = tuple(chance.integers(0, 256, 3).tolist())
        (draw.rectangle if chance.random() < 0.5 else draw.ellipse)(shape, fill=color)
    return picture


def sign(chance: np.random.Generator, picture: Image.Image, at: tuple[int, int], text: str) -> None:
    """A board with a text on it."""
    draw, letters = ImageDraw.Draw(picture), font(chance, int(chance.integers(16, 40)))
    left, top, right, bottom = draw.textbbox(at, text, font=letters)
    dark = bool(chance.random() < 0.5)
    draw.rectangle((left - 12, top - 8, right + 12, bottom + 8), fill=(30, 40, 60) if dark else (235, 230, 220))
    draw.text(at, text, font=letters, fill=(240, 240, 230) if dark else (20, 20, 20))


def camera(chance: np.random.Generator, motion: str, count: int) -> Iterator[tuple[float, float, float]]:
    """The place and size of what each frame shows of a ground of five by two frames: x, y, zoom."""
    angle, x, y = chance.uniform(0, 2 * math.pi), WIDTH * 2.0, HEIGHT * 0.5
    speed = {"slow pan": 20, "pan": 60, "fast pan": 200}.get(motion, 0) / FPS
    dx, dy = speed * math.cos(angle), speed * 0.15 * math.sin(angle)
    shake = np.cumsum(chance.normal(0, 5, (count, 2)), axis=0)
    for number in range(count):
        if motion == "handheld":
            yield x + shake[number, 0], y + shake[number, 1], 1.0
        elif motion == "zoom":
            yield x, y, 1.0 - 0.06 * number / FPS
        elif motion == "cut" and number >= 3 * FPS:  # while a subtitle stays
            yield 30.0, 20.0, 1.0
        else:
            yield x + dx * (number - count / 2), y + dy * (number - count / 2), 1.0


def drawn(seed: int) -> Drawn:
    """A clip of 4 to 8 seconds; what moves in it, and which texts it has, go by the seed."""
    chance = np.random.default_rng(seed)
    motion = MOTIONS[seed % len(MOTIONS)]
    count = int(chance.integers(4, 9)) * FPS
    wide = ground(chance, WIDTH * 5, HEIGHT * 2)
    clip = Drawn([], motion)
    for _ in range(chance.integers(0, 4)):
        text = words(chance, int(chance.integers(1, 3)))
        at = (
            int(chance.integers(2 * WIDTH, 3 * WIDTH - 200)),
            int(chance.integers(HEIGHT // 2 + 20, HEIGHT * 3 // 2 - 60)),
        )
        sign(chance, wide, at, text)
        clip.scene.append(text)
    subtitles, mark = bool(chance.random() < 0.5), bool(chance.random() < 0.5)
    shuffled = iter(words(chance, len(WORDS)).split())
    lines = [" ".join(islice(shuffled, int(chance.integers(3, 6)))) for _ in range(count // (2 * FPS))]
    letters, small = font(chance, int(chance.integers(18, 27))), font(chance, int(chance.integers(13, 20)))
    name = words(chance, int(chance.integers(1, 3))).upper()
    spot = (chance.choice([14, WIDTH - 14]), 10 if subtitles else chance.choice([10, HEIGHT - 10]))
    anchor = ("l" if spot[0] < WIDTH / 2 else "r") + ("a" if spot[1] < HEIGHT / 2 else "d")
    strength = int(chance.integers(150, 256))
    if subtitles:
        clip.overlays += [("subtitle", line) for line in lines]
    if mark:
        clip.hidden += [name] if motion in STILL else []
        clip.overlays += [] if motion in STILL else [("corner", name)]
    for number, (x, y, zoom) in enumerate(camera(chance, motion, count)):
        w, h = WIDTH * zoom, HEIGHT * zoom
        box = (x + (WIDTH - w) / 2, y + (HEIGHT - h) / 2, x + (WIDTH + w) / 2, y + (HEIGHT + h) / 2)
        frame = wide.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box=box)
        layer = Image.new("RGBA", frame.size)
        draw = ImageDraw.Draw(layer)
        if motion == "walker":
            at = -80 + (WIDTH + 80) * number / count
            draw.ellipse((at, 60, at + 80, 150), fill=(200, 160, 130, 255))
            draw.rectangle((at - 20, 150, at + 100, HEIGHT), fill=(60, 60, 120, 255))
        if subtitles and (line := lines[min(number // (2 * FPS), len(lines) - 1)]):
            black = {"fill": "white", "stroke_width": 2, "stroke_fill": "black"}
            draw.text((WIDTH / 2, HEIGHT - 22), line, font=letters, anchor="md", **black)
        if mark:
            edge = {"stroke_width": 1, "stroke_fill": (0, 0, 0, strength)}
            draw.text(spot, name, font=small, anchor=anchor, fill=(255, 255, 255, strength), **edge)
        clip.frames.append(np.asarray(Image.alpha_composite(frame.convert("RGBA"), layer).convert("RGB")))
    return clip


def coded(clip: Drawn, path: Path, encode: Callable[..., Path]) -> list[np.ndarray]:
    """The frames after x264."""
    encode(path, clip.frames, fps=FPS, options={"preset": "ultrafast", "crf": "23"})
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def as_clip(frames: Sequence[np.ndarray]) -> Clip:
    """Frames at the times that are asked for."""

    def sampled(sampling: Sampling) -> Frames:
        numbers = [min(len(frames) - 1, max(0, int(time * FPS))) for time in sampling.times]
        return Frames(np.array(numbers) / FPS, [frames[number] for number in numbers])

    return Clip({"duration": len(frames) / FPS}, sampled)


def alike(one: str, other: str) -> bool:
    short, long = (text.casefold().replace(" ", "") for text in sorted((one, other), key=len))
    blocks = SequenceMatcher(None, long, short, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= 0.7 * len(short) and len(short) >= 0.4 * len(long)


@dataclass
class Counts:
    overlays: int = 0
    found: int = 0
    scene: int = 0
    false: int = 0
    misses: list[str] = field(default_factory=list)

    def add(self, seed: int, clip: Drawn, texts: list[dict[str, Any]]) -> None:
        over = [text for text in texts if text["kind"] == "overlay"]
        for place, told in clip.overlays:
            self.overlays += 1
            if any(text["place"] == place and alike(told, text["text"]) for text in over):
                self.found += 1
            else:
                self.misses.append(f"{seed} {clip.motion}: no {place} {told!r}")
        laid = [told for _, told in clip.overlays] + clip.hidden
        for text in texts:
            if not any(alike(told, text["text"]) for told in laid):
                self.scene += 1
                if text["kind"] == "overlay":
                    self.false += 1
                    self.misses.append(f"{seed} {clip.motion}: false {text}")


def measured(clips: Iterable[tuple[int, Drawn]], path: Path, encode: Callable[..., Path]) -> Counts:
    async def all_of_them() -> Counts:
        engine, counts = await RapidOcr().start(), Counts()
        for seed, clip in clips:
            made = await Ocr(engine="reader").make(as_clip(coded(clip, path, encode)), engine)
            counts.add(seed, clip, made["texts"])
        return counts

    return asyncio.run(all_of_them())


@pytest.mark.soak
def test_overlays_are_told_from_text_in_the_scene(tmp_path: Path, encode: Callable[..., Path], soak: int) -> None:
    """One clip of each movement; 200 clips in `make soak`."""
    seeds = range(200 if soak > 1 else len(MOTIONS))
    counts = measured(((seed, drawn(seed)) for seed in seeds), tmp_path / "clip.mp4", encode)
    assert counts.found >= 0.95 * counts.overlays > 0, counts.misses
    assert counts.false <= 0.05 * counts.scene, counts.misses


class Reads(Engine):
    """An engine that finds these lines in the frames, one list a frame."""

    def __init__(self, *lines: Sequence[TextLine]) -> None:
        self.lines = lines

    async def read_text(self, images: Sequence[Images]) -> list[list[TextLine]]:
        assert len(images) == len(self.lines)
        return [list(found) for found in self.lines]


def line(text: str, left: float, top: float, right: float, bottom: float, *, score: float = 0.9) -> TextLine:
    return TextLine(text, score, ((left, top), (right, top), (right, bottom), (left, bottom)))


def made(scene: Callable[..., np.ndarray], *lines: Sequence[TextLine], still: bool = False) -> dict[str, Any]:
    """Of a clip whose picture is another in each frame, or the same in all."""
    images = [scene(0 if still else number) for number in range(len(lines))]
    frames = Frames(np.arange(len(lines)) * 0.5, images)
    clip = Clip({"duration": len(lines) / 2}, lambda sampling: frames)
    return asyncio.run(Ocr(engine="any").make(clip, Reads(*lines)))


def test_area_is_that_of_the_frame_with_the_most_text(scene: Callable[..., np.ndarray]) -> None:
    small, large = line("EXIT", 0.5, 0.5, 0.6, 0.6), line("Chapter One", 0.1, 0.2, 0.7, 0.4)
    values = made(scene, [small], [large, small], [])
    assert values["text_area"] == pytest.approx(0.13)
    assert [text["text"] for text in values["texts"]] == ["EXIT", "Chapter One"]
    assert values["texts"][1]["kind"] == "unclear", "it was seen once"


def test_a_clip_without_text(scene: Callable[..., np.ndarray]) -> None:
    assert made(scene, [], []) == {"text_area": 0.0, "overlay_area": 0.0, "texts": []}
    assert made(scene, [line("-~-", 0, 0, 1, 0.9)], [line("I", 0, 0, 0.5, 0.5)])["texts"] == []


def test_a_slanted_line_covers_what_it_covers() -> None:
    assert TextLine("up", 1.0, ((0.0, 0.5), (0.5, 0.0), (1.0, 0.5), (0.5, 1.0))).area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0.3, 0.85, 0.7, 0.92), "subtitle"),
        ((0.02, 0.02, 0.2, 0.07), "corner"),
        ((0.85, 0.93, 0.97, 0.98), "corner"),
        ((0.3, 0.4, 0.7, 0.5), "other"),
    ],
)
def test_where_an_overlay_stands(
    box: tuple[float, float, float, float], place: str, scene: Callable[..., np.ndarray]
) -> None:
    values = made(scene, *[[line("Same words", *box)]] * 4)
    (text,) = values["texts"]
    assert (text["kind"], text["place"], text["first"], text["last"]) == ("overlay", place, 0.0, 1.5)
    assert tuple(text["box"].values()) == pytest.approx(box, abs=1e-4)
    assert values["overlay_area"] == values["text_area"] > 0
    (text,) = made(scene, *[[line("Same words", *box)]] * 4, still=True)["texts"]
    assert (text["kind"], text["place"]) == ("unclear", None)


def test_text_that_moves_is_of_the_scene(scene: Callable[..., np.ndarray]) -> None:
    (text,) = made(scene, *([line("BAKERY", at, 0.4, at + 0.2, 0.5)] for at in (0.1, 0.15, 0.4, 0.7)))["texts"]
    assert (text["kind"], text["first"], text["last"]) == ("scene", 0.0, 1.5)


def test_two_frames_a_second_apart_at_each_moment() -> None:
    def times(duration: float) -> tuple[float, ...]:
        return Ocr(engine="any", moments=3).samplings({"duration": duration})[0].times

    assert times(30.0) == pytest.approx((4.5, 5.5, 14.5, 15.5, 24.5, 25.5))
    assert times(3.0) == pytest.approx((0.25, 0.75, 1.25, 1.75, 2.25, 2.75))


def test_thresholds_judge_what_is_stored() -> None:
    row = {"text_area": 0.4, "overlay_area": 0.03, "texts": []}
    assert Ocr(engine="any").verdict(row) is None
    for option, value in (("max_text_area", 0.3), ("max_overlay_area", 0.0)):
        rejection = Ocr(engine="any", **{option: value}).verdict(row)
        assert rejection is not None
        assert (rejection.reason, rejection.option) == ("above_max", option)
    assert Ocr(engine="a", max_text_area=0.1).identity() == Ocr(engine="b").identity()
    assert Ocr(engine="a", moments=2).identity() != Ocr(engine="a").identity()
