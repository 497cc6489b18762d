"""The dataset card: `README.md` from the build record, and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from . import text
from .captions import caption_table, info_columns, prompts, shown_columns
from .record import BuildRecord, Json, by_source, funnel, licenses, shown
from .schema import front_matter

_TEMPLATE = Path(__file__).with_name("README.md.j2")
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_CAPTION_CHARS = 160
_LIST_ITEMS = 3
_LINE_CHARS = 100
PICTURES = ("assets/funnel.png", "assets/distributions.png")
"""Where the card looks for what `plots.py` draws."""


def card(record: BuildRecord) -> str:
    """README.md with its YAML head. Deterministic; text from clips and sources is shown, never interpreted."""
    import jinja2
    import yaml

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"md": text.markdown, "block": text.markdown_block, "code": text.markdown_code}
    environment.filters |= {"number": text.number, "size": text.size, "duration": text.duration}
    environment.filters |= {"reasons": text.reasons, "type": text.type_name, "attr_text": text.attribute}
    environment.filters |= {"listing": lambda value: text.fenced(text.many_lines(value), language="text")}
    repo, stages, sample = _repo(record), funnel(record), _sample(record)
    recipe = yaml.safe_dump(record["recipe"], sort_keys=False, allow_unicode=True, width=110)
    place = repo or "out/" + re.sub(r"[^\w.-]+", "-", record["name"], flags=re.ASCII)
    files = place if repo is None else f"hf://datasets/{repo}"
    body = environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        record=record,
        head=yaml.safe_dump(front_matter(record), sort_keys=False, allow_unicode=True, width=10**6),
        place=place,
        files=files,
        shards=_urls(record, files),
        sample=text.fenced(_json(_cut(sample)), language="json") if sample else None,
        sample_is_cut=_cut(sample) != sample,
        gallery=_gallery(record),
        funnel=stages,
        offered=stages[0]["rows_in"],
        sources=by_source(record),
        licenses=licenses(record),
        texts_cleaned=record.get("texts_cleaned", 0),
        columns=shown_columns(record),
        captions=caption_table(record),
        prompts=prompts(record),
        info_columns=info_columns(record),
        added_by={column: step["name"] for step in record["steps"] for column in step["adds"]},
        share=text.share,
        recipe=text.fenced(recipe, language="yaml"),
        pictures=PICTURES,
    )
    return body.encode("utf-8", "replace").decode("utf-8")


def _repo(record: BuildRecord) -> str | None:
    """The Hub repository that the recipe publishes to; a sample is not what is there."""
    if record["name"] != record["recipe"].get("name"):
        return None
    hub = (record["recipe"].get("publish") or {}).get("hub") or {}
    repo = str(hub.get("repo", ""))
    return repo if _REPO.fullmatch(repo) else None


def _urls(record: BuildRecord, files: str) -> str:
    """Where the shards are, as WebDataset spells ranges of names: one a generation."""
    ranges = Counter(re.sub(r"-\d{5}-of-", "-*-of-", shard["path"]) for shard in record["shards"])
    numbers = {name: f"{{00000..{count - 1:05d}}}" if count > 1 else "00000" for name, count in ranges.items()}
    return "::".join(f"{files}/{name.replace('*', number)}" for name, number in numbers.items())


def _sample(record: BuildRecord) -> Json | None:
    """A published row, or what is known of one."""
    if not record["samples"]:
        return None
    first = record["samples"][0]
    return first.get("row") or {"clip_id": first["clip_id"], "caption": first["caption"], "duration": first["duration"]}


def _cut(value: object) -> object:
    """A value whose long lists and texts end early, with a word about the rest: hashes of frames fill pages."""
    if isinstance(value, str):
        return text.cut(value)
    if isinstance(value, dict):
        return {name: _cut(inner) for name, inner in value.items()}
    if isinstance(value, list) and len(value) > _LIST_ITEMS:
        return [*map(_cut, value[: _LIST_ITEMS - 1]), f"… {len(value) - _LIST_ITEMS + 1} more"]
    return [_cut(item) for item in value] if isinstance(value, list) else value


def _json(value: object, *, indent: int = 0) -> str:
    """JSON with a line for each field, but for what is short enough to stand in the line of its own field."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (indent and len(flat) <= _LINE_CHARS):
        return flat
    if isinstance(value, dict):
        items = [(f"{json.dumps(name, ensure_ascii=False)}: ", item) for name, item in value.items()]
    else:
        items = [("", item) for item in value]
    lines = [f"{' ' * (indent + 2)}{name}{_json(item, indent=indent + 2)}" for name, item in items]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([first, ",\n".join(lines), " " * indent + last])


def _gallery(record: BuildRecord, *, columns: int = 3) -> list[list[tuple[str, str, str]]]:
    """Rows of (thumbnail, clip id, caption)."""
    cells = [
        (sample["thumbnail"], sample["clip_id"], text.shortened(sample["caption"] or "", limit=_CAPTION_CHARS))
        for sample in shown(record)
    ]
    return [cells[at : at + columns] for at in range(0, len(cells), columns)]
