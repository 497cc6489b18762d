"""The reasons of rejects: each is documented, each is given somewhere, and no other can be made."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import shotscribe
from shotscribe.builder.contract.errors import ClipError, Reason, Rejection

ROOT = Path(shotscribe.__file__).parent


def documented() -> list[str]:
    table = re.search(r"^\| reason \|.*\n\|[-|]+\n((?:\|.*\n)+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert table
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]
    assert all(len(row) == 3 and all(row) for row in rows)
    return [name.strip("`") for name, _, _ in rows]


def given() -> set[str]:
    """The reasons that the package's code names, by their names in the enumeration."""
    folders = ("builder", "captioners", "filters")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name != "errors.py"]
    return {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


def test_the_readme_has_all_reasons_in_their_order() -> None:
    assert documented() == [str(reason) for reason in Reason]


def test_each_is_given_and_those_that_are_given_are_there() -> None:
    assert given() == {reason.name for reason in Reason}


@pytest.mark.parametrize("make", [Rejection, ClipError])
def test_no_other_can_be_made(make: type) -> None:
    with pytest.raises(ValueError, match="grainy"):
        make("grainy", "too much of it")


def test_one_that_is_written_as_text_is_the_reason() -> None:
    assert Rejection("limit", "").reason is Reason.LIMIT
