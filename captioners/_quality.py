"""Whether a model's answer is fit to be a caption: each has a status, and one that is not ok is asked for again.

| status | |
|---|---|
| ok | |
| refused | the server's content filter ended it, or it reads as a refusal: "I'm sorry, but I can't ..." |
| empty | nothing, or nothing but punctuation |
| repeated | it says the same again and again (`_loops.py`); so is a loop whose tokens ran out |
| truncated | its tokens ran out |
| off_schema | no JSON, or not what the schema says |
| mentions | it speaks of frames, times or "the video" where the recipe does not want that (`_mentions.py`) |

The first that holds, in this order. A request that brought no answer at all is the engine's ClipError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ..builder.engine import Completion
from ._loops import ends_in_loop, loops
from ._mentions import cleaned, mentioned
from ._refusals import refuses
from ._tidy import tidied, unfenced

Status = Literal["ok", "truncated", "repeated", "refused", "empty", "off_schema", "mentions"]
Policy = Literal["clean", "retry", "keep"]


def judged(completion: Completion, *, schema: Mapping[str, Any] | None, mentions: Policy) -> tuple[str, Any, Status]:
    """The tidied text, the parsed value, and the status of an answer.

    The value is that of an answer that is JSON and fits `schema`, else None; `mentions` does not touch such an answer.
    """
    text = tidied(completion.text) if schema is None else unfenced(completion.text)
    value = None if schema is None else _fitting(text, schema)
    if completion.finish == "refused" or any(refuses(said) for said in (text, *_strings(value))):
        return text, value, "refused"
    if value is None and not any(char.isalnum() for char in text):
        return text, value, "empty"
    if _looped(completion, text, value, free=schema is None):
        return text, value, "repeated"
    if completion.finish == "length":
        return text, value, "truncated"
    if schema is not None:
        return text, value, "off_schema" if value is None else "ok"
    return _mentioned(text, mentions)


def _mentioned(text: str, policy: Policy) -> tuple[str, Any, Status]:
    if policy == "keep":
        return text, None, "ok"
    if policy == "clean":
        text = cleaned(text)
    return text, None, "mentions" if mentioned(text) else "ok"


def _fitting(text: str, schema: Mapping[str, Any]) -> Any:
    """The parsed value; None where it is no JSON (line breaks in strings are let through) or breaks the schema."""
    from jsonschema.validators import validator_for

    try:
        value = json.loads(text, strict=False, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair cannot be stored
    except (ValueError, RecursionError):
        return None
    return value if validator_for(schema)(schema).is_valid(value) else None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _looped(completion: Completion, text: str, value: Any, *, free: bool) -> bool:
    if free and loops(text):
        return True
    if value is not None:
        return any(loops(one) for one in _strings(value)) or any(ends_in_loop(one) for one in _lists(value))
    return ends_in_loop(completion.text if completion.finish == "length" else text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in _inside(value):
        yield from _strings(inner)


def _lists(value: Any) -> Iterator[str]:
    """The items of each list as JSON, in a row: a loop may go on from one object to the next."""
    if isinstance(value, list):
        yield ", ".join(json.dumps(item) for item in value if isinstance(item, str | dict))
    for inner in _inside(value):
        yield from _lists(inner)


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
