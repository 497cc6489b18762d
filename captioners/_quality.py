"""Whether a model's answer is fit to be a caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..builder.engine import Completion

Status = Literal["ok", "truncated", "repeated", "refused", "empty", "off_schema", "mentions"]


def judged(
    completion: Completion, *, schema: Mapping[str, Any] | None, mentions: Literal["clean", "retry", "keep"]
) -> tuple[str, Any, Status]:
    """The tidied text, the parsed value (where there is a schema), and the status of an answer."""
    import json

    text = completion.text.strip()
    if completion.finish == "refused":
        return text, None, "refused"
    if not text:
        return text, None, "empty"
    if completion.finish == "length":
        return text, None, "truncated"
    if schema is not None:
        try:
            return text, json.loads(text, strict=False), "ok"
        except ValueError:
            return text, None, "off_schema"
    return text, None, "ok"
