"""The dataset card: `README.md` from the build record, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from . import text
from .record import BuildRecord, by_source, funnel, shown
from .schema import front_matter

_TEMPLATE = Path(__file__).with_name("README.md.j2")
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_CAPTION_CHARS = 160
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
    repo, stages = _repo(record), funnel(record)
    recipe = yaml.safe_dump(record["recipe"], sort_keys=False, allow_unicode=True, width=110)
    body = environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        record=record,
        head=yaml.safe_dump(front_matter(record), sort_keys=False, allow_unicode=True, width=10**6),
        place=repo or "out/" + re.sub(r"[^\w.-]+", "-", record["name"], flags=re.ASCII),
        on_hub=repo is not None,
        shards=_brace(len(record["shards"])),
        sample=text.fenced(_sample(record), language="json") if record["samples"] else None,
        gallery=_gallery(record),
        funnel=stages,
        offered=stages[0]["rows_in"],
        sources=by_source(record),
        added_by={column: step["name"] for step in record["steps"] for column in step["adds"]},
        share=text.share,
        recipe=text.fenced(recipe, language="yaml"),
        pictures=PICTURES,
    )
    return body.encode("utf-8", "replace").decode("utf-8")


def _repo(record: BuildRecord) -> str | None:
    """The Hub repository that the recipe publishes to."""
    hub = (record["recipe"].get("publish") or {}).get("hub") or {}
    repo = str(hub.get("repo", ""))
    return repo if _REPO.fullmatch(repo) else None


def _brace(shards: int) -> str:
    """The shards' names as WebDataset spells a range of them."""
    last = max(shards - 1, 0)
    return f"train-{{00000..{last:05d}}}-of-{shards:05d}.tar" if last else "train-00000-of-00001.tar"


def _sample(record: BuildRecord) -> str:
    first = record["samples"][0]
    row = first.get("row") or {name: first[name] for name in ("clip_id", "caption", "duration")}
    return json.dumps(row, indent=2, ensure_ascii=False)


def _gallery(record: BuildRecord, *, columns: int = 3) -> list[list[tuple[str, str, str]]]:
    """Rows of (thumbnail, clip id, caption)."""
    cells = [
        (sample["thumbnail"], sample["clip_id"], text.shortened(sample["caption"] or "", limit=_CAPTION_CHARS))
        for sample in shown(record)
    ]
    return [cells[at : at + columns] for at in range(0, len(cells), columns)]
