"""The card's pictures, as PNG bytes: the funnel and the distributions. The same record gives the same bytes."""

from __future__ import annotations

import io
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING

from .record import BuildRecord, Histogram, Json, Stage, funnel, widest
from .text import number, reasons, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _QUIET, _LINE = "#1f2933", "#66727f", "#d9dfe5"
_KEPT, _LOST = "#0f8b8d", "#f2c6b4"
_INSIDE_SHARE = 0.12  # a bar narrower than this has no room for its figure
_COLUMNS = 3
_DPI = 160


def funnel_png(record: BuildRecord) -> bytes:
    """One bar a step: what went on, and beside it what was left out and why."""
    from matplotlib import rc_context, rcParamsDefault
    from matplotlib.figure import Figure

    stages = funnel(record)
    with rc_context(rcParamsDefault):
        figure = Figure(figsize=(9, 0.9 + 0.42 * len(stages)), dpi=_DPI, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        full, offered, left = max(widest(stages), 1), stages[0]["rows_in"], record["rows"]
        kept = f"{number(left)} of {number(offered)} clips are left"
        for at, stage in enumerate(stages):
            _draw_stage(axes, stage, at=at, full=full)
        axes.set_title(
            kept if full <= max(offered, 1) else f"{number(left)} clips, from {number(offered)}",
            loc="left", fontsize=12, fontweight="bold", color=_INK, pad=10,
        )  # fmt: skip
        axes.set_yticks(range(len(stages)), [shortened(stage["name"], limit=28) for stage in stages], parse_math=False)
        axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=_INK, pad=6)
        axes.set_xticks([])
        axes.set_xlim(0, full * 1.42)  # room for the words beside a full bar
        axes.set_ylim(len(stages) - 0.5, -0.5)
        axes.spines[:].set_visible(False)
        return _png(figure)


def _draw_stage(axes: Axes, stage: Stage, *, at: int, full: int) -> None:
    kept, lost = stage["rows_out"], sum(stage["rejected"].values())
    axes.barh(at, kept, height=0.62, color=_KEPT)
    axes.barh(at, lost, left=kept, height=0.62, color=_LOST)
    inside = kept > full * _INSIDE_SHARE
    left_out = ", ".join(f"{number(count)} {reason}" for reason, count in reasons(stage["rejected"]))
    words = "   ".join(([] if inside else [number(kept)]) + ([f"− {left_out}"] if lost else []))
    beside: Json = {"va": "center", "fontsize": 9, "parse_math": False}
    if inside:
        axes.text(kept - full * 0.012, at, number(kept), color="white", ha="right", fontweight="bold", **beside)
    axes.text(kept + lost + full * 0.012, at, shortened(words, limit=64), color=_QUIET, **beside)


def distributions_png(record: BuildRecord) -> bytes:
    """Small multiples of the published columns' histograms."""
    from matplotlib import rc_context, rcParamsDefault
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    histograms = record["distributions"]
    rows = max(1, -(-len(histograms) // _COLUMNS))
    with rc_context(rcParamsDefault):
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.06, hspace=0.08)
        figure = Figure(figsize=(9, 0.2 + 1.9 * rows), dpi=_DPI, layout=layout, facecolor="white")
        for at, (column, histogram) in enumerate(histograms.items()):
            _draw_histogram(figure.add_subplot(rows, _COLUMNS, at + 1), column, histogram)
        return _png(figure)


def _draw_histogram(axes: Axes, column: str, histogram: Histogram) -> None:
    edges = histogram["edges"]
    widths = [right - left for left, right in pairwise(edges)]
    axes.bar(edges[:-1], histogram["counts"], width=widths, align="edge", color=_KEPT, edgecolor="white", linewidth=0.6)
    axes.set_title(
        shortened(column, limit=30), loc="left", fontsize=10, fontweight="bold", color=_INK, parse_math=False
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.tick_params(labelsize=8, labelcolor=_QUIET, color=_LINE, length=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=_LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.locator_params(axis="x", nbins=6)


def _png(figure: Figure) -> bytes:
    """`Software` would hold the version of matplotlib: without it the bytes depend on what is drawn alone."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a script that the font lacks is drawn as boxes
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
