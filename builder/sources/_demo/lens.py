"""The lens of the demo clips: from a painted world and a view to a picture, and what is done to the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .camera import View

Image = npt.NDArray[np.uint8]  # (h, w, 3), RGB


def look(world: Image, view: View, *, size: tuple[int, int]) -> Image:
    """What the camera sees: the world sampled bilinearly, uint8 (*size, 3)."""
    y = (np.arange(size[0], dtype=np.float32) - (size[0] - 1) / 2) * view.scale
    x = (np.arange(size[1], dtype=np.float32) - (size[1] - 1) / 2) * view.scale
    if view.roll == 0.0:  # rows, then columns: a third of the time
        left = max(int(view.x + x[0]), 0)
        seen = world[:, left : int(view.x + x[-1]) + 2]
        return _between(_between(seen, view.y + y, axis=0), view.x - left + x, axis=1).astype(np.uint8)
    sin, cos = np.float32(np.sin(view.roll)), np.float32(np.cos(view.roll))
    top, down = _cell(view.y + y[:, None] * cos + x * sin, world.shape[0])
    before, right = _cell(view.x + x * cos - y[:, None] * sin, world.shape[1])
    down, right = down[..., None], right[..., None]
    upper = world[top, before] * (1 - right) + world[top, before + 1] * right
    lower = world[top + 1, before] * (1 - right) + world[top + 1, before + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.uint8)


def _cell(at: npt.NDArray[np.float32], size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The pixel before each place, and how far beyond it the place is, 0 to 1."""
    at = np.clip(at, 0, size - 1.01).astype(np.float32)
    first = at.astype(np.int32)
    return first, at - first.astype(np.float32)


def _between(image: npt.NDArray[Any], at: npt.NDArray[np.float32], *, axis: int) -> npt.NDArray[np.float32]:
    first, part = _cell(at, image.shape[axis])
    part = part.reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    low = image.take(first, axis=axis)
    return np.add(low * (1 - part), image.take(first + 1, axis=axis) * part, dtype=np.float32)


def blurred(image: Image, radius: int = 7) -> Image:
    """Out of focus: three box filters each way."""
    soft = image.astype(np.float32)
    for axis in (0, 1):
        pad = [(radius + 1, radius) if a == axis else (0, 0) for a in range(3)]
        for _ in range(3):
            total = np.pad(soft, pad, mode="edge").cumsum(axis=axis)
            wide = 2 * radius + 1
            low, high = [slice(None)] * 3, [slice(None)] * 3
            low[axis], high[axis] = slice(None, -wide), slice(wide, None)
            soft = (total[tuple(high)] - total[tuple(low)]) / np.float32(wide)
    return soft.astype(np.uint8)


def with_balloon(image: Image, part: float, *, drift: float) -> Image:
    """A striped hot-air balloon that crosses the picture: `part` of its way, `drift` widths (negative: to the left)."""
    height, width = image.shape[:2]
    radius = 0.24 * min(height, width)
    x = width * (0.5 + drift * (part - 0.5))
    y = height * (0.42 + 0.03 * np.sin(5 * part))
    down, right = np.arange(height)[:, None] - y, np.arange(width) - x
    far = np.hypot(down, right)
    stripe = (np.arcsin(np.clip(right / np.sqrt(np.maximum(radius**2 - down**2, 1)), -1, 1)) * 3.2).round() % 2 == 0
    shade = (1.0 - 0.35 * (right / radius + down / radius) / 2)[..., None]
    silk = np.where(stripe[..., None], (226, 62, 54), (252, 208, 84)) * shade
    picture = image.astype(np.float64)
    picture += (silk - picture) * np.clip(radius - far, 0, 1)[..., None]
    basket = (np.abs(right) < 0.16 * radius) & (np.abs(down - 1.5 * radius) < 0.14 * radius)
    ropes = (np.abs(np.abs(right) - 0.14 * radius) < 0.8) & (down > 0.98 * radius) & (down < 1.4 * radius)
    picture[basket | ropes] = (96, 62, 40)
    return np.clip(picture, 0, 255).astype(np.uint8)
