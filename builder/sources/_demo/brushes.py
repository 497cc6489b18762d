"""Brushes of the demo's painter: fractal noise, ridges, textured layers, skies. Numpy only, all from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]  # (h, w)
Picture = npt.NDArray[np.float32]  # (h, w, 3), RGB, 0 to 255
Color = tuple[int, int, int]

WORLD_PX = (540, 960)
"""Height and width of a painted world."""


class Hour(NamedTuple):
    """The light of a time of day."""

    name: str
    zenith: Color
    horizon: Color
    glow: Color
    haze: Color
    light: float
    """Brightness of what stands on the ground, 0 to 1."""


HOURS = (
    Hour("at dawn", (94, 120, 190), (255, 196, 170), (255, 236, 200), (222, 180, 190), 0.85),
    Hour("at noon", (52, 126, 212), (190, 224, 245), (255, 252, 235), (176, 206, 228), 1.0),
    Hour("at sunset", (70, 54, 122), (255, 138, 76), (255, 226, 150), (206, 118, 112), 0.75),
    Hour("by moonlight", (16, 22, 58), (70, 92, 150), (240, 244, 255), (52, 68, 118), 0.5),
)


def noise(shape: tuple[int, ...], cells: tuple[int, int], rng: np.random.Generator, *, octaves: int = 4) -> Plane:
    """Fractal value noise of about -1 to 1; `cells`: grid cells of the coarsest octave over (h, w)."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows, columns = cells[0] << octave, cells[1] << octave
        grid = rng.uniform(-1, 1, (rows + 1, columns + 1)).astype(np.float32)
        total += _spread(_spread(grid, shape[0]).T, shape[1]).T * np.float32(0.6**octave)
    return total


def _spread(grid: Plane, size: int) -> Plane:
    """The rows of a grid, interpolated smoothly to `size` rows."""
    at = np.linspace(0, len(grid) - 1, size, endpoint=False)
    cell = at.astype(np.intp)
    part = (at - cell).astype(np.float32)[:, None]
    part = part * part * (3 - 2 * part)
    low = grid[cell]
    spread: Plane = low + (grid[cell + 1] - low) * part
    return spread


def line(level: float, height: float, cells: int, rng: np.random.Generator, *, octaves: int = 5) -> Plane:
    """A ridge: the y of its top for every x, in pixels. `level`, `height`: fractions of the world's height."""
    rough = noise((1, WORLD_PX[1]), (1, cells), rng, octaves=octaves)[0]
    ridge: Plane = WORLD_PX[0] * (level - height * rough)
    return ridge


def lay(picture: Picture, top: Plane, color: Color, texture: Plane, *, fade: Color | None = None) -> None:
    """Cover what lies below the line `top` with a textured colour, which fades into `fade` with depth."""
    first = max(int(top.min()), 0)
    below = np.arange(first, WORLD_PX[0], dtype=np.float32)[:, None] - top
    shade = np.asarray(color, np.float32) * (1 + 0.35 * texture[first:])[..., None]
    if fade is not None:
        depth = np.clip(below / (0.35 * WORLD_PX[0]), 0, 1)[..., None]
        shade += (np.asarray(fade, np.float32) - shade) * (0.75 * depth)
    cover = np.clip(below, 0, 1)[..., None]
    picture[first:] += (shade - picture[first:]) * cover


def mix(a: Color, b: Color, part: float) -> Color:
    red, green, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return red, green, blue


def lit(color: Color, hour: Hour) -> Color:
    """A colour in the light of an hour."""
    dim = mix((0, 0, 0), color, hour.light)
    return mix(dim, hour.haze, 0.18)


def sky(hour: Hour, rng: np.random.Generator, *, ground: float) -> Picture:
    """Sky down to `ground` (fraction of the height): a gradient, a sun or moon that glows, clouds, stars at night."""
    height, width = WORLD_PX
    y = np.linspace(0, 1 / ground, height, dtype=np.float32)[:, None, None]
    zenith, horizon = np.asarray(hour.zenith, np.float32), np.asarray(hour.horizon, np.float32)
    picture = np.repeat(zenith + (horizon - zenith) * np.clip(y, 0, 1) ** 1.3, width, axis=1)
    if hour.light < 0.6:
        stars = rng.integers(0, (int(height * ground), width), (420, 2))
        picture[stars[:, 0], stars[:, 1]] += rng.uniform(60, 190, (420, 1)).astype(np.float32)
    center = (rng.uniform(0.25, 0.8) * height * ground, rng.uniform(0.2, 0.8) * width)
    far = np.hypot(np.arange(height)[:, None] - center[0], np.arange(width)[None, :] - center[1]).astype(np.float32)
    glow = np.exp(-far / 110) * 0.7 + np.clip(34 - far, 0, 1)
    picture += (np.asarray(hour.glow, np.float32) - picture) * np.clip(glow, 0, 1)[..., None]
    clouds = np.clip(noise((height, width), (7, 5), rng, octaves=6) * 0.75 + 0.12, 0, 0.9)
    tint = np.asarray(mix(hour.glow, hour.haze, 0.35), np.float32)
    picture += (tint - picture) * (clouds * (0.35 + 0.5 * hour.light))[..., None]
    return picture
