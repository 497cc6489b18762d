"""Painted worlds for the demo clips: procedural landscapes from a seed.

A world is one still picture, larger than a frame, that a virtual camera moves over; being flat, it has no parallax, so
the camera's movement is exactly known. Every part of it is textured, skies included: movement over a flat area is
invisible, to a viewer as to a filter.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .brushes import WORLD_PX, Color, Hour, Picture, Plane, lay, line, lit, mix, noise, sky


def paint(place: str, hour: Hour, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A world of `PLACES`, uint8 RGB (h, w, 3) of `WORLD_PX`."""
    picture = PLACES[place](hour, rng)
    grain = noise(picture.shape[:2], (160, 284), rng, octaves=1)
    world: npt.NDArray[np.uint8] = np.clip(picture + 7 * grain[..., None], 0, 255).astype(np.uint8)
    return world


def _conifers(base: Plane, rng: np.random.Generator, *, count: int, tall: float) -> Plane:
    """The outline of a row of conifers that stand on the line `base`."""
    x = np.arange(WORLD_PX[1], dtype=np.float32)
    top = base.copy()
    for _ in range(count):
        foot, height = rng.uniform(0, WORLD_PX[1]), tall * rng.uniform(0.5, 1.0)
        off = np.abs(x - foot)
        tier = (off % 7) * 0.9  # the tips of the branches
        top = np.minimum(top, base - np.clip(height * (1 - off / (0.24 * height)) - tier, 0, None))
    return top


def _mountains(hour: Hour, rng: np.random.Generator) -> Picture:
    picture = sky(hour, rng, ground=0.7)
    texture = noise(WORLD_PX, (20, 30), rng, octaves=4)
    rock: Color = (96, 98, 128)
    for nearness, level in ((0.25, 0.42), (0.55, 0.54), (0.85, 0.66)):
        ridge = line(level, 0.16 - 0.06 * nearness, 4 + int(6 * nearness), rng)
        color = mix(hour.haze, lit(mix(rock, (52, 92, 74), nearness), hour), nearness)
        lay(picture, ridge, color, texture, fade=hour.haze)
        if nearness < 0.5:
            height = np.arange(WORLD_PX[0], dtype=np.float32)[:, None] - ridge
            snow = np.clip(1.6 * texture + (0.1 * WORLD_PX[0] - height) / 26, 0, 0.8) * (height > 0)
            picture += (np.asarray(mix(hour.glow, (255, 255, 255), 0.5), np.float32) * hour.light - picture) * snow[
                ..., None
            ]
    meadow = line(0.84, 0.03, 4, rng)
    lay(picture, _conifers(meadow, rng, count=70, tall=84), lit((26, 64, 48), hour), texture)
    lay(picture, meadow, lit((104, 148, 62), hour), noise(WORLD_PX, (48, 60), rng, octaves=3))
    _flowers(picture, meadow, hour, rng)
    return picture


def _flowers(picture: Picture, top: Plane, hour: Hour, rng: np.random.Generator) -> None:
    kinds = np.asarray([lit(c, hour) for c in ((246, 214, 70), (238, 92, 110), (250, 246, 240), (170, 110, 220))])
    for _ in range(900):
        x = int(rng.integers(0, WORLD_PX[1] - 4))
        y = int(rng.uniform(top[x] + 4, WORLD_PX[0] - 4))
        size = 2 + int(y > 0.93 * WORLD_PX[0])
        picture[y : y + size, x : x + size] = kinds[rng.integers(len(kinds))]


def _city(hour: Hour, rng: np.random.Generator) -> Picture:
    picture = sky(hour, rng, ground=0.85)
    texture = noise(WORLD_PX, (40, 70), rng, octaves=2)
    y, x = np.arange(WORLD_PX[0]), np.arange(WORLD_PX[1])
    for nearness, low, high in ((0.3, 0.28, 0.6), (0.6, 0.42, 0.76), (1.0, 0.6, 0.9)):
        pace = int(26 + 30 * nearness)
        edges = np.cumsum(rng.integers(pace // 2, pace, WORLD_PX[1] // (pace // 2) + 2))
        house = np.searchsorted(edges, x, side="right")
        roof = (WORLD_PX[0] * rng.uniform(low, high, house.max() + 1)).astype(np.float32)
        tint = rng.uniform(-0.4, 0.4, house.max() + 1).astype(np.float32)
        wall = mix(hour.haze, lit((88, 84, 104), hour), nearness)
        lay(picture, roof[house], wall, tint[house] + 0.4 * texture, fade=None)
        wide, tall = 5 + int(3 * nearness), 7 + int(4 * nearness)
        bright = rng.random((WORLD_PX[0] // tall + 1, WORLD_PX[1] // wide + 1)) < 0.3 + 0.25 * (1 - hour.light)
        pane = ((y % tall) > tall // 2)[:, None] & ((x % wide) > wide // 2)
        pane &= bright[np.ix_(y // tall, x // wide)] & (y[:, None] > roof[house] + 5)
        window = mix(hour.haze, (255, 222, 140) if hour.light < 0.9 else (206, 232, 246), 0.35 + 0.6 * nearness)
        picture[pane] = np.asarray(window, np.float32)
    return picture


def _sea(hour: Hour, rng: np.random.Generator) -> Picture:
    height, width = WORLD_PX
    picture = sky(hour, rng, ground=0.5)
    texture = noise(WORLD_PX, (30, 30), rng, octaves=3)
    lay(picture, line(0.53, 0.05, 5, rng), mix(hour.haze, lit((70, 92, 110), hour), 0.6), texture)
    horizon = np.full(width, 0.55 * height, np.float32)
    waves = noise(WORLD_PX, (110, 16), rng, octaves=2) + 0.5 * noise(WORLD_PX, (36, 8), rng, octaves=2)
    lay(picture, horizon, mix(hour.zenith, (24, 110, 130), 0.5), waves, fade=mix(hour.zenith, (8, 50, 74), 0.6))
    sun = float(rng.uniform(0.3, 0.7)) * width
    column = np.exp(-np.abs(np.arange(width) - sun) / (0.12 * width)).astype(np.float32)
    glitter = np.clip(waves - 0.35, 0, 0.8) * (0.25 + column) * (np.arange(height)[:, None] > horizon)
    picture += (np.asarray(hour.glow, np.float32) - picture) * np.clip(glitter * 1.6, 0, 1)[..., None]
    for _ in range(9):
        _boat(picture, hour, rng)
    return picture


def _boat(picture: Picture, hour: Hour, rng: np.random.Generator) -> None:
    foot = float(rng.uniform(0.57, 0.92)) * WORLD_PX[0]
    tall = 0.32 * (foot - 0.5 * WORLD_PX[0]) + 14
    left = int(rng.uniform(0, WORLD_PX[1] - tall))
    sail = ((250, 244, 232), (228, 86, 70), (245, 190, 66), (84, 160, 190))[rng.integers(4)]
    for step in range(int(tall * 0.8)):
        y = int(foot - step)
        picture[y, left : left + int(0.62 * (tall * 0.8 - step)) + 1] = lit(sail, hour)
    for step in range(max(int(tall * 0.14), 3)):
        y = int(foot + step + 1)
        inset = step * 2
        picture[y, max(left - int(0.15 * tall) + inset, 0) : left + int(0.7 * tall) - inset] = lit((92, 56, 44), hour)


def _dunes(hour: Hour, rng: np.random.Generator) -> Picture:
    picture = sky(hour, rng, ground=0.55)
    ripples = noise(WORLD_PX, (70, 12), rng, octaves=3) * 0.8
    for step in range(6):
        nearness = step / 5
        ridge = line(0.45 + 0.1 * step, 0.05 + 0.03 * nearness, 3, rng, octaves=3)
        slope = np.clip(np.gradient(ridge) * 2.2, -0.8, 0.6).astype(np.float32)
        color = mix(hour.haze, lit(mix((238, 178, 104), (196, 108, 62), nearness), hour), 0.35 + 0.65 * nearness)
        lay(picture, ridge, color, ripples + slope, fade=mix(color, (110, 54, 48), 0.3))
    return picture


def _forest(hour: Hour, rng: np.random.Generator) -> Picture:
    picture = sky(hour, rng, ground=0.9)
    leaves = noise(WORLD_PX, (30, 50), rng, octaves=4)
    x = np.arange(WORLD_PX[1])
    for nearness, count in ((0.2, 60), (0.5, 34), (0.9, 16)):
        bark = np.asarray(mix(hour.haze, lit((84, 58, 46), hour), nearness), np.float32)
        for foot in rng.uniform(0, WORLD_PX[1], count):
            half = (3 + 15 * nearness) * rng.uniform(0.6, 1.0)
            trunk = np.flatnonzero(np.abs(x - foot) < half)
            rounded = np.sqrt(1 - ((x[trunk] - foot) / half) ** 2).astype(np.float32)
            picture[:, trunk] = bark * ((0.55 + 0.5 * rounded) * (1 + 0.3 * leaves[:, trunk]))[..., None]
        green = np.asarray(mix(hour.haze, lit((62, 128, 52), hour), 0.3 + 0.7 * nearness), np.float32)
        height = np.linspace(1, -1.2, WORLD_PX[0], dtype=np.float32)[:, None]
        crown = np.clip(4 * (noise(WORLD_PX, (9, 16), rng, octaves=4) + height - 0.35), 0, 1)
        picture += (green * (1 + 0.45 * leaves)[..., None] - picture) * (0.9 * crown)[..., None]
    floor = line(0.86, 0.03, 5, rng)
    lay(picture, floor, lit((88, 112, 52), hour), leaves * 1.3)
    _flowers(picture, floor, hour, rng)
    return picture


def _fields(hour: Hour, rng: np.random.Generator) -> Picture:
    """Farmland from above: patches around random points, each ploughed its own way."""
    height, width = (side // 2 for side in WORLD_PX)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    bend = 9 * noise((height, width), (5, 9), rng, octaves=3)
    spots = rng.uniform((0, 0), (height, width), (64, 2)).astype(np.float32)
    far = np.stack([np.maximum(np.abs(y - a + bend), np.abs(x - b - bend)) for a, b in spots])
    nearest = far.argmin(axis=0)
    two = np.partition(far, 1, axis=0)[:2]
    angle = rng.uniform(0, math.pi, len(spots))[nearest].astype(np.float32)
    rows = np.sin((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.7, 1.5, len(spots))[nearest])
    crops = (
        (118, 160, 70),
        (206, 186, 92),
        (162, 116, 74),
        (84, 132, 80),
        (226, 206, 130),
        (144, 176, 96),
        (178, 98, 84),
    )
    colors = np.asarray([lit(crop, hour) for crop in crops], np.float32)[rng.integers(0, len(crops), len(spots))]
    texture = noise((height, width), (24, 40), rng, octaves=3)
    patch = colors[nearest] * (1 + 0.14 * rows + 0.22 * texture)[..., None]
    hedge = np.clip((3.2 - (two[1] - two[0])) / 2, 0, 1)[..., None]
    patch += (np.asarray(lit((50, 84, 48), hour), np.float32) - patch) * hedge
    return np.repeat(np.repeat(patch, 2, axis=0), 2, axis=1).astype(np.float32)


PLACES: dict[str, Callable[[Hour, np.random.Generator], Picture]] = {
    "mountains": _mountains,
    "a city": _city,
    "the sea": _sea,
    "dunes": _dunes,
    "a forest": _forest,
    "farmland": _fields,
}
