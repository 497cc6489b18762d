"""Whether a model's answer is fit to be a caption: each has a status, and one that is not ok is asked for again.

| status | |
|---|---|
| ok | |
| refused | the server's content filter ended it, it reads as a refusal: "I'm sorry, but I can't ...", or it says
  nothing but that the video is blank (`blank.py`) |
| truncated | its tokens ran out, for thoughts or for the answer |
| thinking | nothing but thoughts, or it thinks aloud (`aloud.py`), or marks of a template are left (`thoughts.py`), or
  of a tokenizer, or characters are lost (`garbled.py`) |
| empty | nothing, nothing but punctuation, or "None", "N/A", "Unknown"; JSON whose texts are all blank |
| repeated | it says the same again and again (`loops.py`); so is a loop whose tokens ran out |
| off_schema | no JSON, or not what the schema says |
| language | it is in another language than the one that is wanted, or changes halfway (`languages.py`) |
| list | it is a list, not prose |
| chat | the assistant speaks to whoever asked: "Would you like me to ..." (`chatter.py`), or of its answer: "Note:
  ..." (`notes.py`) |
| mentions | it speaks of frames, times or "the video" where the recipe does not want that (`mentions.py`) |

The first that holds, in the order of `judged`. A request that brought no answer at all is the engine's ClipError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from ...builder.contract.clip import Row
from ...builder.contract.engine import Completion
from ...builder.contract.text import with_texts
from .aloud import aloud
from .blank import blank
from .chatter import listed, offers, without_offers
from .garbled import garbled, mended
from .languages import Language, strays
from .loops import ends_in_loop, loops
from .markup import plain
from .mentions import cleaned, mentioned
from .notes import noted, without_notes
from .refusals import refuses
from .thoughts import answer_in, marked
from .tidy import tidied, unfenced

Status = Literal[
    "ok",
    "truncated",
    "thinking",
    "repeated",
    "refused",
    "empty",
    "off_schema",
    "language",
    "list",
    "chat",
    "mentions",
]
Policy = Literal["clean", "retry", "keep"]
TALK: frozenset[Status] = frozenset({"list", "chat", "mentions"})
"""What is wrong with how a caption speaks, not with what it says: the option `mentions` is about them."""

_NO_ANSWER = frozenset({"none", "null", "nil", "nan", "n/a", "na", "n.a", "empty", "undefined", "unknown", "nothing"})
_NO_CAPTION = re.compile(
    r"(?:no|sin|sem|aucune|keine) (?:caption|description|answer|response|angabe|beschreibung|descripción|descrição)"
    r"(?: available| verfügbar| disponible)?|(?:content )?not (?:applicable|available|found)|unavailable|untitled"
    r"|loading|object object|tbd|todo|sure|certainly|here (?:you go|it is)"
    r"|无|沒有|没有(?:内容)?|不适用|未知|なし|無し?|該当なし|不明|keine|nichts|unbekannt|aucune?|rien|inconnu"
    r"|ningun[oa]|nada|desconocido|nenhuma?|desconhecido"
)


def judged(
    completion: Completion, *, schema: Row | None, mentions: Policy, language: Language | None = None
) -> tuple[str, object, Status]:
    """The tidied text, the parsed value, and the status of an answer. `language`: None where any will do.

    The value is that of an answer that is JSON and fits `schema`, else None; of its texts only markup is taken out, and
    `mentions` does not touch such an answer.
    """
    said = answer_in(completion.text)
    text = tidied(said) if schema is None else unfenced(said)
    value = None if schema is None else with_texts(_fitting(text, schema), lambda one: plain(mended(one)))
    strings = list(_strings(value, schema or {}))
    bare = text if schema is not None else cleaned(_unaddressed(text))
    # of one field among others it may be true that it is blank
    alone = [text, bare, *strings, *map(cleaned, strings)] if len(strings) < 2 else []
    if completion.finish == "refused" or any(map(refuses, (text, bare, *strings))) or any(map(blank, alone)):
        return text, value, "refused"
    if strings and not any(char.isalnum() for one in strings for char in one):
        return text, value, "empty"
    if value is None and (_says_nothing(text) or _says_nothing(bare)):
        return text, value, _why_nothing(completion, said)
    if _looped(completion, text, value, strings, free=schema is None):
        return text, value, "repeated"
    if completion.finish == "length":
        return text, value, "truncated"
    if schema is not None:
        if any(map(garbled, strings)):
            return text, value, "thinking"
        strayed = strays("\n".join(strings), language)
        return text, value, "off_schema" if value is None else "language" if strayed else "ok"
    if marked(text) or aloud(text) or aloud(bare):
        return text, value, "thinking"
    return _worded(text, mentions, language)


def _says_nothing(text: str) -> bool:
    said = text.casefold().strip(" .!?:\"'*_-()[]<>。：…")
    return not any(char.isalnum() for char in said) or said in _NO_ANSWER or _NO_CAPTION.fullmatch(said) is not None


def _why_nothing(completion: Completion, said: str) -> Status:
    """An answer that says nothing, of which `said` is what is left without thoughts."""
    thought = completion.thought or (not said.strip() and any(char.isalnum() for char in completion.text))
    if completion.finish == "length" and not said.strip():
        return "repeated" if ends_in_loop(completion.text) else "truncated"
    return "thinking" if thought and not said.strip() else "empty"


def _worded(text: str, policy: Policy, language: Language | None) -> tuple[str, object, Status]:
    """Of an answer in prose: its language, and whether it speaks of anything but the clip."""
    if policy == "clean":
        text = cleaned(_unaddressed(text))
    if strays(text, language):
        return text, None, "language"
    if policy == "keep":
        return text, None, "ok"
    status: Status = (
        "list" if listed(text) else "chat" if offers(text) or noted(text) else "mentions" if mentioned(text) else "ok"
    )
    return text, None, status


def _unaddressed(text: str) -> str:
    """Without offers and notes at the end, in any order."""
    while (shorter := without_notes(without_offers(text))) != text:
        text = shorter
    return text


def _fitting(text: str, schema: Row) -> object:
    """The parsed value; None where it is no JSON (line breaks in strings are let through) or breaks the schema.

    An object may stand in prose or in a code fence: it goes from the first brace to the last.
    """
    from jsonschema.validators import validator_for

    for part in (text, text[text.find("{") : text.rfind("}") + 1]):
        try:
            value = json.loads(part, strict=False, parse_constant=_no_number)
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair cannot be stored
        except (ValueError, RecursionError):
            continue
        return value if validator_for(schema)(schema).is_valid(value) else None
    return None


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _looped(completion: Completion, text: str, value: object, strings: Sequence[str], *, free: bool) -> bool:
    if free and loops(text):
        return True
    if value is not None:
        return any(map(loops, strings)) or any(ends_in_loop(one) for one in _lists(value))
    return ends_in_loop(completion.text if completion.finish == "length" else text)


def _strings(value: object, schema: Row) -> Iterator[str]:
    """The texts of a value, but for those that its schema lists: what is chosen is no wording of the model's."""
    if isinstance(value, str) and "enum" not in schema:
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, schema.get("properties", {}).get(name, {}))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, schema.get("items", {}))


def _lists(value: object) -> Iterator[str]:
    """The items of each list as JSON, in a row: a loop may go on from one object to the next."""
    if isinstance(value, list):
        yield ", ".join(json.dumps(item) for item in value if isinstance(item, str | dict))
    for inner in _inside(value):
        yield from _lists(inner)


def _inside(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
