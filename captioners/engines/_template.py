"""Arguments of a model's chat template. Thinking is off where the template knows a word for it: what a caption says is
in the picture, and thoughts are paid for by the token. A template that does not know a word does not read it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from ...builder.contract.identity import Json

NO_THINKING: Mapping[str, JsonValue] = {"enable_thinking": False, "thinking": False}
"""`enable_thinking`: Qwen3, GLM-4.5, Gemma 4, MiniCPM-V 4.5 and others; `thinking`: DeepSeek, Kimi, Granite."""


def template_arguments(chosen: Mapping[str, JsonValue]) -> Json:
    """What the template is given: thinking off, unless the recipe says otherwise, and what else the recipe says."""
    return {**NO_THINKING, **chosen}
