"""The report: one page that needs nothing from anywhere, and shows hostile text as text."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from shotscribe.cards.report import report


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.said))


def _spoilt(value: Any, payload: str) -> Any:
    """Every text of a caption, and every name of a field that is not fixed."""
    if isinstance(value, dict):
        fixed = {"start", "end", "info"} if "start" in value else value.keys() if "status" in value else set()
        return {
            name if name in fixed else f"{name}{payload}": inner if name == "status" else _spoilt(inner, payload)
            for name, inner in value.items()
        }
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(_spoilt(json.loads(value), payload))
    if isinstance(value, list):
        return [_spoilt(item, payload) for item in value]
    return f"{value}{payload}" if isinstance(value, str) else value


def test_it_says_what_the_record_says(record: Any) -> None:
    text = _Page(report(record)).text
    for said in ("934", "74.7%", "of 1,250 offered", "2 h 33 min", "2.35 GB", "in 3 shards", "semantic_dedup"):
        assert said in text
    assert "102 below_min" in text
    assert "A cyclist rides past a row of parked cars." in text
    assert "cc-by-4.0" in text
    assert "build-dataset recipe.yaml" in text


def test_it_loads_nothing_but_its_own_pictures(record: Any) -> None:
    page = _Page(report(record))
    assert "script" not in page.tags
    assert "link" not in page.tags
    sources = [value for name, value in page.attributes if name in {"src", "href", "data", "srcset"}]
    assert sources == [sample["thumbnail"] for sample in record["samples"]]
    assert "url(" not in report(record)
    assert "@import" not in report(record)


def test_a_histogram_has_a_bar_for_each_bin_at_its_place(record: Any) -> None:
    record["distributions"] = {"duration": {"edges": [0.0, 1.0, 4.0], "counts": [10, 5]}}
    bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', report(record))
    assert bars == [("0.0", "0.0", "70.0", "96.0"), ("70.0", "48.0", "210.0", "48.0")]


@pytest.mark.parametrize(
    "histogram",
    [{"edges": [1.0, 1.0], "counts": [3]}, {"edges": [0.0, 1.0], "counts": [0]}, {"edges": [0.0, 1.0], "counts": []}],
)
def test_a_histogram_of_nothing_or_of_one_value_is_drawn(record: Any, histogram: Any) -> None:
    record["distributions"] = {"duration": histogram}
    assert "nan" not in report(record)


def test_nothing_offered_is_shown_as_nothing(record: Any) -> None:
    record |= {"rows": 0, "seconds": 0.0, "bytes": 0, "samples": [], "licenses": {}, "sources_kept": {}, "steps": []}
    record |= {"distributions": {}, "shards": []}
    record["sources"] = [
        {"use": "folder", "license": "cc0-1.0", "clips": 0, "rejected": {}, "options": {}, "remarks": []}
    ]
    text = _Page(report(record)).text
    assert "0 clips published" in text
    assert "Clips" not in text


def test_captions_are_shown_by_their_times_and_fields(captioned: Any) -> None:
    page = report(captioned)
    lines = re.findall(r"(?:<dt>(.*?)</dt>)?<dd>(.*?)</dd>", page)
    assert lines == [
        ("", "A tram crosses a square."),
        ("0.0 s", "A tram stands at the stop."),
        ("0.0–2.0 s", "The tram sets off."),
        ("2.0–4.0 s · truncated", "The camera pans left after it"),
        ("subjects · 1 · type", "vehicle"),
        ("subjects · 1 · colors", "red, white"),
        ("subjects · 2 · type", "human"),
        ("shot type", "long_shot"),
        ("is day", "yes"),
        ("objects", "tram, square"),
        ("mood", "calm"),
    ]
    assert page.count("A tram crosses a square; the camera pans left.") == 1
    assert '<p><span class="chip">truncated</span></p>' in page


def test_an_answer_that_is_not_the_json_that_it_should_be_is_shown_as_it_is(captioned: Any) -> None:
    captioned["samples"][0]["row"]["raw"] = '{"mood": ["ca'
    assert "<dd>{&#34;mood&#34;: [&#34;ca</dd>" in report(captioned)


def test_a_caption_that_is_not_there_is_not_shown_unless_it_failed(captioned: Any) -> None:
    row = captioned["samples"][0]["row"]
    row |= {"short_caption": None, "short_caption_info": None, "structural_caption": None}
    row["structural_caption_info"] = {**row["structural_caption_info"], "status": "off_schema"}
    page = report(captioned)
    assert "<summary>short_caption" not in page
    assert '<summary>structural_caption <span class="chip">off_schema</span></summary>' in page


def test_what_made_the_captions_is_said(captioned: Any) -> None:
    text = _Page(report(captioned)).text
    assert "diff_captions acme/sees-7b 0123abc 5,101 ok 11 truncated 2 repeated 4,120,000 310,400" in text
    assert "Prompt short of short, summarize Say it in one sentence. Prompt sliding of sliding You compare" in text
    assert "Checked on 12 clips, decoded once more: 97 captions name the very frames" in text
    columns = text.split("Columns column type from")[1].split("How each caption was made")[0]
    assert "_info" not in columns
    assert "list of {start: float64, end: float64, caption: string, info: info}" in columns


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'; background: url(http://evil.example)",
        "{{ 7 * 7 }}{% raw %}",
        "</style><style>*{display:none}</style>",
        "\x00\u202e\ud800<!-- ",
    ],
)
def test_hostile_text_is_shown_and_never_interpreted(captioned: Any, payload: str) -> None:
    bad = copy.deepcopy(captioned)
    bad |= {"name": payload, "version": payload, "description": payload, "recipe": {payload: payload}}
    bad["columns"] = {f"{column}{payload}": kind for column, kind in bad["columns"].items()}
    bad["licenses"] = {f"{name}{payload}": count for name, count in bad["licenses"].items()}
    bad["distributions"] = {f"{name}{payload}": shape for name, shape in bad["distributions"].items()}
    for step in bad["steps"]:
        step["name"] = payload
        step["prompts"] = {f"{name}{payload}": f"{text}{payload}" for name, text in step["prompts"].items()}
        step["rejected"] = {f"{reason}{payload}": count for reason, count in step["rejected"].items()}
        step["options"] = {
            f"{reason}{payload}": {f"{option}{payload}": count for option, count in counts.items()}
            for reason, counts in step["options"].items()
        }
    for made in bad["captions"]:
        made |= {"model": payload, "revision": payload, "columns": [f"{name}{payload}" for name in made["columns"]]}
        made["statuses"] = {f"{status}{payload}": count for status, count in made["statuses"].items()}
    bad["caption"] += payload
    row = bad["samples"][0]["row"]
    bad["samples"][0]["row"] = {
        name if name.endswith("_info") else f"{name}{payload}": _spoilt(value, payload) for name, value in row.items()
    }
    for sample in bad["samples"]:
        sample["caption"] = sample["clip_id"] = payload

    calm, hostile = _Page(report(captioned)), _Page(report(bad))
    assert hostile.tags == calm.tags
    assert [name for name, _ in hostile.attributes] == [name for name, _ in calm.attributes]
    shown = " ".join("".join(char for char in payload if char not in "\x00\u202e\ud800").split())
    assert shown in hostile.text
    report(bad).encode("utf-8")
