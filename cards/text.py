"""Words and figures for the card and the report: what they show the same way, and hostile text made harmless."""

from __future__ import annotations

import html
import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$@]|:(?=//))")
_LEADING = re.compile(r"^([-+=]|\d+(?=[.)]))")
_PLAIN = re.compile(r"[\w.,:;/+()= -]+")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LONGEST = 4_000
"""Characters of a text that a page shows; a paragraph of a caption has a few hundred."""
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def cut(value: object) -> str:
    """Text that is no longer than a page has room for, with a mark where there is more."""
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({number(len(text) - LONGEST)} more characters)"


def one_line(value: object) -> str:
    """Text on one line, cut where it is too long, without control characters and without marks that reorder what a
    reader sees.
    """
    return " ".join("".join(char for char in cut(value) if char.isspace() or _is_shown(char)).split())


def many_lines(value: object) -> str:
    """Text in its own lines and with its own spaces, without what `one_line` leaves out."""
    lines = str(value).expandtabs(4).splitlines()
    return "\n".join("".join(filter(_is_shown, line)).rstrip() for line in lines).strip("\n")


def _is_shown(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cs"} and char not in _REORDERING


def markdown(value: object) -> str:
    """Text that a Markdown reader shows as it stands, inside a line: no markup, no HTML, no link, no table cell."""
    return _MARKDOWN.sub(r"\\\1", one_line(value)).translate(_ENTITIES)


def markdown_block(value: object) -> str:
    """The same for a paragraph of its own, where `1.` or `-` would start a list."""
    return _LEADING.sub(lambda match: _unlist(match[0]), markdown(value))


def markdown_code(value: object) -> str:
    """A name in code type, where it is an ordinary name; escaped text otherwise."""
    line = one_line(value)
    return f"`{line}`" if _PLAIN.fullmatch(line) else markdown(line)


def attribute(value: object) -> str:
    """Text inside an HTML attribute, in a Markdown table."""
    return html.escape(one_line(value)).replace("|", "&#124;")


def _unlist(start: str) -> str:
    """A digit takes no backslash, so the first of `1. item` is written as an entity."""
    return f"&#{ord(start[0])};{start[1:]}" if start[0].isdigit() else f"\\{start}"


def fenced(value: str, *, language: str) -> str:
    """A code block that its own content cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{value.rstrip()}\n{fence}"


def shortened(value: object, *, limit: int) -> str:
    """At most `limit` characters, cut at a word where there is one."""
    line = one_line(value)
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    return (head.rsplit(" ", 1)[0] if " " in head[limit // 2 :] else head).rstrip(" ,.;:") + "…"


def number(value: int) -> str:
    return f"{value:,}"


def share(part: float, whole: float) -> str:
    """A percentage that says neither 0% of something nor 100% of less than all."""
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.1f}".removesuffix(".0") + "%"


def size(value: float) -> str:
    """Bytes, in the decimal units of disks and of the Hub."""
    power = 0
    while value >= 999.5 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_UNITS[power]}"


def duration(seconds: float) -> str:
    """A duration as a reader says it: `8.4 s`, `7 min 12 s`, `31 h 5 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{number(minutes // 60)} h {minutes % 60} min"


def reasons(rejected: dict[str, int]) -> list[tuple[str, int]]:
    """Reasons and counts, the most frequent first."""
    return sorted(rejected.items(), key=lambda item: (-item[1], item[0]))


def type_name(kind: object) -> str:
    """A column's type as a reader writes it: `float64`, `list of float64`, `{start: float64}`."""
    if isinstance(kind, list):
        return f"list of {type_name(kind[0])}"
    if isinstance(kind, dict):
        return "{" + ", ".join(f"{name}: {type_name(inner)}" for name, inner in kind.items()) + "}"
    return str(kind)
