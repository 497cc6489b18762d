"""A plan on paper: headings, names, and under each name what it is and does, wrapped to the page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from ..contract.address import without_secrets
from ..contract.text import escaped


@dataclass(frozen=True, slots=True)
class Entry:
    """A step, a source, ...: its name, and (label, text) lines; lines without a text are left out."""

    name: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under a heading; `note` explains the heading in a few words."""

    heading: str
    note: str
    entries: Sequence[Entry]


def laid_out(title: str, sections: Sequence[Section], *, width: int, styled: bool) -> str:
    """The page as text without a last newline; `styled` for a terminal, else without any control character."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    page = io.StringIO()
    colors: Literal["standard"] | None = "standard" if styled else None
    console = Console(file=page, width=width, force_terminal=styled, color_system=colors, legacy_windows=False)
    console.print(Text(title, style="bold"))
    longest = max((len(entry.name) for section in sections for entry in section.entries), default=0)
    for section in sections:
        console.print()
        console.print(
            Text.assemble((section.heading, "bold cyan"), (f"  {section.note}" if section.note else "", "dim"))
        )
        grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(min_width=min(longest, width // 3), overflow="fold")
        grid.add_column(overflow="fold", ratio=1)
        for entry in section.entries:
            lines = [
                Text.assemble((f"{label} " if label else "", "green"), escaped(text))
                for label, text in entry.lines
                if text
            ]
            grid.add_row(Text(escaped(entry.name)), Text("\n").join(lines))
        console.print(Padding(grid, (0, 0, 0, 2)))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def options(block: BaseModel) -> str:
    """The options of a step or a source that are set, `use` left out: `min_s 2 · max_s 120`."""
    fields = type(block).model_fields.items()
    said = {field.alias or name: getattr(block, name) for name, field in fields if name != "use"}
    return " · ".join(f"{name} {_value(value)}" for name, value in said.items() if value not in (None, {}, (), []))


def _value(value: object) -> str:
    if isinstance(value, BaseModel):
        return _value({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{_value(key)}: {_value(inner)}" for key, inner in value.items() if inner is not None)
            + "}"
        )
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str | Path):
        return "".join(one if one.isprintable() else repr(one)[1:-1] for one in without_secrets(str(value))) or '""'
    return str(value)
