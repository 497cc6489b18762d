"""The virtual camera of the demo clips: what each kind of clip shows, how the camera moves, and the right labels.

Distances are in short sides of the frame. Moves are well over a quarter of it and jitter well under, so that the labels
are not a matter of taste.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .brushes import HOURS, WORLD_PX, Hour
from .scenes import PLACES

KINDS = (
    "pan_right",
    "static",
    "zoom_in",
    "moving_object",
    "tilt_up",
    "cut",
    "pan_left",
    "handheld",
    "pan_tilt",
    "near_duplicate",
    "zoom_out",
    "black",
    "tilt_down",
    "blurred",
    "pan_zoom",
    "exact_duplicate",
    "fast_pan",
    "dark",
    "letterboxed",
    "violent",
)
"""One cycle of the demo; then it starts again with other worlds and moves."""

COPIED = {"near_duplicate": "pan_right", "exact_duplicate": "zoom_in"}
"""Which kind of the same cycle is copied."""


class View(NamedTuple):
    """Where the camera looks: the centre in world pixels, world pixels per frame pixel, the roll in radians."""

    x: float
    y: float
    scale: float
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    """The script of one clip."""

    kind: str
    place: str
    hour: Hour
    seconds: float
    fps: int
    size: tuple[int, int]
    view: Callable[[float], View]
    """From seconds to the view."""
    labels: tuple[str, ...]
    """What `camera_motion` should say."""
    caption: str


def script(kind: str, rng: np.random.Generator) -> Shot:
    """The script of a clip of one of `KINDS`; a copied kind is scripted as what it copies."""
    place = list(PLACES)[rng.integers(len(PLACES))]
    hour = HOURS[rng.integers(len(HOURS))]
    size = (320, 180) if kind not in ("letterboxed", "cut", "violent") and rng.random() < 0.15 else (180, 320)
    seconds, fps = float(rng.choice((3.0, 3.5, 4.0))), int(rng.choice((24, 25, 30)))
    pan, tilt, zoom = _move(kind, rng)
    if kind in ("handheld", "violent"):
        view = _shaken(size, seconds, rng, violent=kind == "violent")
    else:
        view = _moved(pan, tilt, zoom, size, seconds, rng)
    labels = _labels(pan, tilt, zoom)
    if kind in ("black", "cut", "violent"):
        labels = ("unclassified",)
    caption = _caption(kind, f"{place} {hour.name}", labels)
    return Shot(kind, place, hour, seconds, fps, size, view, labels, caption)


def _move(kind: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """Camera travel to the right and upwards in short sides, and the magnification at the end."""
    side, ratio = float(rng.choice((-1, 1))), float(rng.uniform(1.5, 1.9))
    far, near = float(rng.uniform(0.5, 1.4)), float(rng.uniform(0.5, 0.85))
    in_or_out = ratio ** float(rng.choice((-1, 1)))
    moves = {
        "pan_right": (far, 0.0, 1.0),
        "pan_left": (-far, 0.0, 1.0),
        "tilt_up": (0.0, near, 1.0),
        "tilt_down": (0.0, -near, 1.0),
        "zoom_in": (0.0, 0.0, ratio),
        "zoom_out": (0.0, 0.0, 1 / ratio),
        "pan_tilt": (side * near, float(rng.choice((-1, 1))) * near, 1.0),
        "pan_zoom": (side * near, 0.0, in_or_out),
        "fast_pan": (side * 2.6, 0.0, 1.0),
        "blurred": (side * near, 0.0, 1.0),
        "letterboxed": (side * near, 0.0, 1.0) if rng.random() < 0.5 else (0.0, side * near, 1.0),
    }
    return moves.get(kind, (0.0, 0.0, 1.0))


def _labels(pan: float, tilt: float, zoom: float) -> tuple[str, ...]:
    found = [
        (pan < 0, "pan_left"),
        (pan > 0, "pan_right"),
        (tilt > 0, "tilt_up"),
        (tilt < 0, "tilt_down"),
        (zoom > 1, "zoom_in"),
        (zoom < 1, "zoom_out"),
    ]
    return tuple(label for there, label in found if there) or ("static",)


def _moved(
    pan: float, tilt: float, zoom: float, size: tuple[int, int], seconds: float, rng: np.random.Generator
) -> Callable[[float], View]:
    """A steady move that stays inside the world, soft at its ends."""
    short = min(size)
    scale = float(rng.uniform(1.0, 1.15))
    first, last = (scale, scale) if zoom == 1.0 else (1.5, 1.5 / zoom) if zoom > 1 else (1.5 * zoom, 1.5)
    middle = (first + last) / 2
    travel_x, travel_y = pan * short * middle, -tilt * short * middle
    widest = max(first, last)
    x = _start(travel_x, size[1] * widest, WORLD_PX[1], rng)
    y = _start(travel_y, size[0] * widest, WORLD_PX[0], rng, least=0.4)

    def view(at_s: float) -> View:
        part = at_s / seconds
        part -= 0.08 * math.sin(2 * math.pi * part)
        return View(x + travel_x * part, y + travel_y * part, first * (last / first) ** part)

    return view


def _start(travel: float, seen: float, room: int, rng: np.random.Generator, *, least: float = 0.0) -> float:
    """A centre to start from, so that a view `seen` wide stays inside `room` while it travels.

    `least`: part of the range of such centres that is left out (there is only sky at the top of a world).
    """
    low, high = seen / 2 + max(-travel, 0), room - seen / 2 - max(travel, 0)
    return low + float(rng.uniform(least, 1)) * (high - low) if low < high else (low + high) / 2


def _shaken(
    size: tuple[int, int], seconds: float, rng: np.random.Generator, *, violent: bool
) -> Callable[[float], View]:
    """A camera that trembles in a hand, or that is thrown about and comes back: three sines an axis, no two in step."""
    reach = 0.7 * size[1] if violent else float(rng.uniform(0.01, 0.025)) * min(size)
    pace = rng.uniform(0.9, 1.3, (2, 3)) * (0.71, 1.33, 1.87)
    phase = rng.uniform(0, 2 * math.pi, (2, 3))
    share = np.asarray((0.5, 0.3, 0.2))
    roll = 0.0 if violent else math.radians(0.8)
    x = float(rng.uniform(0.45, 0.55)) * WORLD_PX[1]
    y = float(rng.uniform(0.45, 0.55)) * WORLD_PX[0]

    def view(at_s: float) -> View:
        dx, dy = (share * np.sin(2 * math.pi * pace * at_s + phase)).sum(axis=1)
        away = reach * (min(5 * max(1 - at_s / (seconds - 0.5), 0), 5 * at_s / seconds, 1) if violent else 1)
        return View(x + away * float(dx), y + 0.6 * away * float(dy), 1.0, roll * float(dx))

    return view


def _caption(kind: str, where: str, labels: tuple[str, ...]) -> str:
    said = {
        "static": f"A still shot of {where}.",
        "handheld": f"A handheld shot of {where}.",
        "moving_object": f"A hot-air balloon drifts across {where}.",
        "cut": f"A view of {where}, then a cut to another place.",
        "black": "A black screen.",
        "blurred": f"A blurred view of {where}.",
        "dark": f"A very dark view of {where}.",
        "letterboxed": f"A letterboxed view of {where}.",
        "violent": f"A violently shaking view of {where}.",
    }
    moves = " and ".join(f"{move}s {way}" for move, way in (label.split("_") for label in labels if "_" in label))
    return said.get(kind) or f"The camera {moves} over {where}."
