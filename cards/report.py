"""The report: one page that shows the build record, readable from disk with nothing but the pictures in `assets/`."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from . import text
from .captions import caption_table, captions_of, info_columns, prompts, shown_columns
from .record import BuildRecord, Histogram, by_source, funnel, left_out, licenses, shown, widest

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_WIDTH, _HEIGHT = 280, 96  # of a histogram's picture, in its own units


class Bar(TypedDict):
    x: float
    y: float
    width: float
    height: float
    label: str


def report(record: BuildRecord) -> str:
    """report.html. Every value is escaped by the template engine; the page loads nothing and runs nothing."""
    import jinja2
    import yaml

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters |= {"number": text.number, "size": text.size, "duration": text.duration}
    environment.filters |= {"reasons": text.reasons, "type": text.type_name, "line": text.one_line}
    environment.filters["lines"] = text.many_lines
    stages = funnel(record)
    page = environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        record=record,
        funnel=stages,
        offered=stages[0]["rows_in"],
        widest=widest(stages),
        left_out=left_out(record),
        sources=by_source(record),
        licenses=licenses(record),
        texts_cleaned=record.get("texts_cleaned", 0),
        samples=[{**sample, "captions": captions_of(record, sample)} for sample in shown(record)],
        columns=shown_columns(record),
        info_columns=info_columns(record),
        captions=caption_table(record),
        prompts=prompts(record),
        histograms={column: _bars(histogram) for column, histogram in record["distributions"].items()},
        added_by={column: step["name"] for step in record["steps"] for column in step["adds"]},
        share=text.share,
        picture=(_WIDTH, _HEIGHT),
        recipe=yaml.safe_dump(record["recipe"], sort_keys=False, allow_unicode=True, width=110),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _bars(histogram: Histogram) -> list[Bar]:
    """A histogram's bars in the picture's units: widths as the bins are, heights to the fullest bin."""
    edges, counts = histogram["edges"], histogram["counts"]
    span, top = (edges[-1] - edges[0]) or 1.0, max(counts, default=0) or 1
    bars: list[Bar] = []
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        height = round(_HEIGHT * count / top, 2)
        bars.append(
            {
                "x": round(_WIDTH * (left - edges[0]) / span, 2),
                "y": round(_HEIGHT - height, 2),
                "width": round(_WIDTH * (right - left) / span, 2),
                "height": height,
                "label": f"{left:g} – {right:g}: {text.number(count)}",
            }
        )
    return bars
