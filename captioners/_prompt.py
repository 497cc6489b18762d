"""Prompts: text files, read by people, hashed into the identity of what is made with them, printed in the card.

A file is what the model is told always (the system message: the same for every clip, so that an engine reads it once),
a line of three dashes, and what it is told of one clip, with `{fields}` that the captioner fills in. `{frames}` is
where the pictures go; without it they come first. A file without dashes is all user message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter, ValidationInfo, WithJsonSchema

from ..builder.contract.engine import Message, Part
from ..builder.contract.errors import RunError
from ..builder.contract.identity import text_hash
from ..builder.contract.locations import RecipePath
from ..builder.contract.own_code import entry_points

_FOLDER = Path(__file__).parent / "prompts"
_FIELD = re.compile(r"\{([a-z][a-z_]*)\}")
_PATH = TypeAdapter(RecipePath)
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt: the name of its file (never a path), and its text."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name

    @property
    def hash(self) -> str:
        """32 hex digits of the text."""
        return text_hash(self.text)

    def fields(self) -> set[str]:
        """The names in braces that it wants filled in."""
        return set(_FIELD.findall(self.text))

    def lacking(self, wanted: Sequence[str]) -> str | None:
        """What is wrong with its fields, if `wanted` are those that a captioner fills in; None where all are there."""
        missing = [name for name in wanted if name not in self.fields()]
        unknown = sorted(self.fields() - {*wanted, "frames"})
        if missing:
            return f"{self.name}: the prompt lacks {_braced(missing)}, where the captioner puts what it knows"
        if unknown:
            known = _braced([*wanted, "frames"])
            return f"{self.name}: nothing fills in {_braced(unknown)}; the fields of this prompt are {known}"
        return None

    def messages(self, values: Mapping[str, str], media: Sequence[Part]) -> tuple[Message, ...]:
        """The conversation for one clip. KeyError for a field that has no value."""
        system, dashes, user = self.text.partition("\n---\n")
        if not dashes:
            system, user = "", self.text
        before, marker, after = user.strip().partition("{frames}")
        if not marker:
            before, after = "", before
        parts = [_filled(before, values), *media, _filled(after, values)]
        told = Message("user", tuple(part for part in parts if part != ""))
        return (Message("system", (_filled(system.strip(), values),)), told) if system.strip() else (told,)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """In one pass: what is filled in is never read as a field."""
    return _FIELD.sub(lambda found: values[found[1]], text)


def _braced(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def prompt_names() -> list[str]:
    """The prompts that come with this package, and with others by their entry points. Raises RunError for one name
    that comes with two.
    """
    ours, brought = {path.stem for path in _FOLDER.glob("*.txt")}, set(entry_points("prompts"))
    if taken := sorted(ours & brought):
        raise RunError(f'a package brings a prompt "{taken[0]}", which there is already; rename it there')
    return sorted(ours | brought)


def _file_of(name: str) -> Traversable:
    point = entry_points("prompts").get(name)
    return (_FOLDER if point is None else files(point.module)) / f"{name}.txt"


def _read(value: object, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    path: Traversable
    if value.endswith(".txt"):
        path = _PATH.validate_python(value, context=info.context)
    else:
        path = _file_of(value)
        if value not in prompt_names():
            raise ValueError(
                f'there is no prompt "{value}"; name a file of your own (./{value}.txt) or one of: '
                + ", ".join(prompt_names())
            )
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"{value}: more than {_MAX_BYTES} bytes; this is no prompt")
        text = data.decode("utf-8").strip()
    except OSError as error:
        raise ValueError(f"{value}: {error.strerror}; give the path of a text file, relative to the recipe") from None
    except UnicodeDecodeError:
        raise ValueError(f"{value}: not UTF-8 text") from None
    if not text:
        raise ValueError(f"{value}: the file is empty")
    return PromptText(path.name.removesuffix(".txt"), text)


Prompt = Annotated[
    PromptText,
    BeforeValidator(_read),
    PlainSerializer(lambda prompt: prompt.name, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""In a recipe: the name of a prompt of the package, or the path of a `.txt` file, relative to the recipe."""
