"""The dataset card: what it says, that the Hub and readers can use it, and that nothing in it can speak for itself."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from shotscribe.cards.card import card
from shotscribe.cards.report import report
from shotscribe.cards.schema import HUB_LICENSES

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "](javascript:alert(1)) [click](http://evil.example) ![x](http://evil.example/x.png)",
    "a | b || c\n|---|\n# heading\n\n- item\n\n1. one\n\n> quote",
    "```\n---\nlicense: mit\n---\n``` ~~~ ````",
    "a recipe's own text\n```\n\n# heading\n\n<b>bold</b>\n",
    "{{ 7 * 7 }} {% for x in y %} {# gone #} ${1+1}",
    "---\nlicense: mit\n---",
    "1. first",
    "- item",
    "= setext\n===\n---",
    "`code` *bold* _it_ ~~gone~~ <https://evil.example> &lt;b&gt; \\",
    "'\"; !!python/object/apply:os.system ['true'] & *anchor : #",
    "\x00\x1b[31m\u202egpj.exe\u2066 \ud800 \u2028line",
)


def _spoilt(record: dict[str, Any], payload: str) -> dict[str, Any]:
    """The record with every free text carrying the payload."""
    bad = copy.deepcopy(record)
    name = f"x{payload}"
    bad |= {"name": payload, "version": payload, "description": payload, "shotscribe": payload}
    for source in bad["sources"]:
        source["license"] = source["use"] = name
    for step in bad["steps"]:
        step["name"] = name
        step["rejected"] = {f"{reason}{payload}": count for reason, count in step["rejected"].items()}
        step["options"] = {
            f"{reason}{payload}": {f"{option}{payload}": count for option, count in counts.items()}
            for reason, counts in step["options"].items()
        }
        step["adds"] = {}
        step["prompts"] = {f"{prompt}{payload}": f"{text}{payload}" for prompt, text in step["prompts"].items()}
    for made in bad["captions"]:
        made |= {"columns": [f"{name}{payload}" for name in made["columns"]], "info": f"{made['info']}{payload}"}
        made |= {"model": payload, "revision": payload, "statuses": {payload: 1}}
    bad["columns"] = {f"{column}{payload}": kind for column, kind in bad["columns"].items()}
    bad["licenses"] = {f"{name}{payload}": count for name, count in bad["licenses"].items()}
    bad["versions"] = {f"{name}{payload}": payload for name in bad["versions"]}
    bad["recipe"] = {"name": payload, "steps": [{"use": payload}], payload: payload}
    for sample in bad["samples"]:
        sample["caption"] = sample["clip_id"] = payload
        if "row" in sample:
            sample["row"] = {f"{column}{payload}": payload for column in sample["row"]}
    return bad


def _structure(body: str) -> list[str]:
    """The kinds of blocks that a reader makes of it, and of what is in their lines whatever is not plain text."""
    kinds = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(body):
        kinds.append(token.type)
        kinds += [
            child.type for child in token.children or () if child.type not in {"text", "text_special", "code_inline"}
        ]
    return kinds


@pytest.mark.parametrize(("fixture", "golden"), [("record", "golden_card.md"), ("captioned", "golden_captioned.md")])
def test_the_card_is_the_golden_card(fixture: str, golden: str, request: pytest.FixtureRequest) -> None:
    """After a change that is meant, write it anew: GOLDEN=write pytest tests/cards/test_card.py"""
    path = Path(__file__).with_name(golden)
    made = card(request.getfixturevalue(fixture))
    if os.environ.get("GOLDEN") == "write":
        path.write_text(made, "utf-8")
    assert made == path.read_text("utf-8")


def test_the_hubs_own_parser_reads_the_head(record: Any) -> None:
    data = DatasetCard(card(record)).data.to_dict()
    assert data["pretty_name"] == "street-life"
    assert data["task_categories"] == ["text-to-video", "video-text-to-text"]
    assert data["size_categories"] == ["n<1K"]
    assert (data["license"], data["license_name"]) == ("other", "cc-by-4.0-and-cc0-1.0")


@pytest.mark.parametrize(
    ("rows", "label"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (70_700_000, "10M<n<100M"), (10**12, "n>1T")]
)
def test_size_categories(record: Any, rows: int, label: str) -> None:
    record["rows"] = rows
    assert DatasetCard(card(record)).data.to_dict()["size_categories"] == [label]


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [
        (["cc0-1.0"], {"license": "cc0-1.0"}),
        (["Pexels License"], {"license": "other", "license_name": "pexels-license"}),
        (["cc-by-4.0", "mit"], {"license": "other", "license_name": "cc-by-4.0-and-mit"}),
        (["许可"], {"license": "other", "license_name": "unnamed"}),
    ],
)
def test_licenses_as_the_hub_accepts_them(record: Any, licenses: list[str], expected: dict[str, str]) -> None:
    record["licenses"] = dict.fromkeys(licenses, 1)
    data = DatasetCard(card(record)).data.to_dict()
    assert {key: value for key, value in data.items() if key.startswith("license")} == expected
    assert data["license"] in HUB_LICENSES | {"other"}


@pytest.mark.parametrize(
    ("caption", "creators", "tasks"),
    [
        ("caption", "machine-generated", ["text-to-video", "video-text-to-text"]),
        ("source_caption", "found", ["text-to-video", "video-text-to-text"]),
        (None, "no-annotation", None),
    ],
)
def test_the_head_claims_only_what_there_is(record: Any, caption: str | None, creators: str, tasks: Any) -> None:
    record["caption"] = caption
    data = DatasetCard(card(record)).data.to_dict()
    assert data["annotations_creators"] == [creators]
    assert data.get("task_categories") == tasks


def test_a_dataset_of_references_says_so(record: Any) -> None:
    record["media"], record["caption"] = "reference", None
    made = card(record)
    assert "The videos are **not** in this dataset" in made
    assert "mp4" not in made
    assert "txt" not in made


def test_what_there_is_not_is_left_out(record: Any) -> None:
    record |= {"description": None, "version": None, "samples": [], "distributions": {}, "versions": {}}
    made = card(record)
    assert "None" not in made
    assert "![How" not in made
    assert "<img" not in made


def test_a_thumbnail_elsewhere_is_not_shown(record: Any) -> None:
    for thumbnail in ("https://evil.example/x.jpg", "assets/../../secret.jpg", 'assets/x.jpg" onload="x', "/etc/x.jpg"):
        record["samples"][0]["thumbnail"] = thumbnail
        assert thumbnail not in card(record)


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_is_shown_and_never_interpreted(captioned: Any, payload: str) -> None:
    calm, hostile = (DatasetCard(card(_spoilt(captioned, text))) for text in ("calm", payload))
    assert _structure(hostile.text) == _structure(calm.text)
    assert hostile.data.to_dict().keys() == calm.data.to_dict().keys()
    assert hostile.data.to_dict()["license"] == "other"
    assert "\u202e" not in hostile.text.split("```")[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(text=st.text(alphabet=st.sampled_from(list("ab \n\t|`*_<>[]()!#-=~.1:&;\\/\"'{}%$@+")), min_size=1, max_size=24))
def test_no_text_changes_the_cards_structure(captioned: Any, text: str) -> None:
    calm, hostile = (DatasetCard(card(_spoilt(captioned, f"x{said}x"))) for said in ("calm", text))
    assert _structure(hostile.text) == _structure(calm.text)


def test_a_sample_is_not_looked_for_where_the_whole_dataset_is(record: Any) -> None:
    assert "hf://datasets/me/street-life/" in card(record)
    record["name"] = "street-life-limit-10"
    assert "hf://" not in card(record)
    assert 'load_dataset("out/street-life-limit-10"' in card(record)


def test_jinja_in_a_caption_stays_text(record: Any) -> None:
    record["samples"][0]["caption"] = "{{ 7 * 7 }}"
    made = card(record)
    assert '"caption": "{{ 7 * 7 }}"' in made
    assert "49" not in made.split("```json")[1].split("```")[0]


def test_every_prompt_is_printed_once_with_the_steps_that_ask_with_it(captioned: Any) -> None:
    made = card(captioned)
    assert made.count("Say it in one sentence.") == 1
    assert "\nPrompt `short` of `short`, `summarize`:\n\n```text\nSay it in one sentence.\n```\n" in made
    fenced = [token.content for token in MarkdownIt().parse(DatasetCard(made).text) if token.info == "text"]
    texts = dict.fromkeys(text for step in captioned["steps"] for text in step["prompts"].values())
    assert fenced == [f"{text}\n" for text in texts]


def test_a_prompt_is_printed_in_its_own_lines_without_what_deceives(captioned: Any) -> None:
    captioned["steps"][-1]["prompts"] = {"mine": "\n  first\x1b[31m\r\n\n\tsecond\u202e\u00a0line  \n\n"}
    assert "```text\n  first[31m\n\n    second\u00a0line\n```" in card(captioned)


def test_columns_that_say_how_a_caption_was_made_are_told_of_in_one_line(captioned: Any) -> None:
    table = card(captioned).split("## Columns")[1].split("##")[0]
    assert "_info" not in table
    assert "input" not in table
    assert "| `diff_captions` | list of \\{start: float64, end: float64, caption: string, info: info\\} |" in table


def test_what_was_checked_is_said_where_something_was(captioned: Any) -> None:
    assert "Checked on 12 clips" in card(captioned)
    captioned["verified"] = {"clips": 0, "captions": 0, "other_pixels": 0}
    assert "Checked on" not in card(captioned)


def test_a_model_without_a_revision_leaves_its_cell_empty(captioned: Any) -> None:
    captioned["captions"][0]["revision"] = None
    assert "| `caption` | `acme/sees-7b` |  | 930 `ok`, 4 `truncated` | 1,310,000 | 74,210 |" in card(captioned)


def test_long_lists_of_the_sample_end_early(captioned: Any) -> None:
    shown = json.loads(card(captioned).split("```json\n")[1].split("```")[0])
    row = captioned["samples"][0]["row"]
    assert shown["keyframes"] == [0.0, 1.0, "… 3 more"]
    assert shown["diff_captions"] == row["diff_captions"]
    assert shown.keys() == row.keys()


def test_a_text_of_megabytes_and_licences_by_the_hundred_leave_the_pages_readable(captioned: Any) -> None:
    usual = len(card(captioned)), len(report(captioned))
    bad = copy.deepcopy(captioned)
    for sample in bad["samples"]:
        sample["caption"] = "word " * 1_600_000
        if "row" in sample:
            sample["row"]["caption"] = sample["caption"]
    bad["licenses"] = {f"licence {number}": 1 for number in range(5_000)}
    pages = card(bad), report(bad)
    assert all(len(page) < before + 40_000 for page, before in zip(pages, usual, strict=True))
    assert all("(7,996,000 more characters)" in page for page in pages)
    assert all("4971 others" in page for page in pages)
