"""What thinking models and chat templates leave around an answer: thoughts, tags around the answer, marks of turns.

A server that keeps thoughts apart has taken them out already. What is left over is known here by the marks that models
use, wherever they stand: a tag that stood at the prompt's end is closed without having been opened.
"""

from __future__ import annotations

import re

_TAGS = r"think|thinking|thoughts?|reasoning|reflection|analysis|seed:think"
_OPENS = re.compile(
    rf"<(?:{_TAGS})>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>|<\|channel>thought|<unused94>",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    rf"</(?:{_TAGS})>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>|<channel\|>|<unused95>",
    re.IGNORECASE,
)

_CHANNEL = re.compile(r"<\|channel\|>\s{0,9}(?P<name>\w{1,20})[^<]{0,99}<\|message\|>")  # of gpt-oss (harmony)
_ENDS = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_BARE_FINAL = "assistantfinal"  # where the marks were left out: "analysisWe need a caption.assistantfinalA dog runs."
_BARE_ANALYSIS = re.compile(r"\s{0,9}(?:assistant)?analysis(?=[A-Z])")

_AROUND = (
    *((f"<{tag}>", f"</{tag}>") for tag in ("answer", "final_answer", "response", "caption", "output")),
    ("<|begin_of_box|>", "<|end_of_box|>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
)

_TURN = re.compile(  # another turn is no part of the answer
    r"<\|(?:im_start|start)\|>\s{0,9}assistant\b|<\|?(?:start_of_)?turn\|?>\s{0,9}model\b|"
    r"<\|(?:im_start|im_end|im_sep|start_header_id|end_header_id|eot_id|eom_id|begin_of_text|end_of_text|endoftext|"
    r"end|return|start|message|eot|end_of_turn|endofturn|END_OF_TURN_TOKEN|assistant|user|system|observation)\|>|"
    r"<(?:start_of_turn|end_of_turn|end_of_utterance|eos|bos|pad)>|<\|?turn\|?>|</?s>|<｜[^｜>]{1,40}｜>|\[/?INST\]"
)
_ROLES = frozenset({"assistant", "model", "user", "system"})
_MARK = re.compile(r"<\|\w{1,40}\|>")


def answer_in(text: str) -> str:
    """The answer without thoughts and marks; nothing where there are only thoughts, or they do not end."""
    text = _final(text)
    ends = [found.end() for found in _CLOSES.finditer(text)]
    text = text[ends[-1] :] if ends else text
    if _OPENS.search(text):
        return ""
    for left, right in _AROUND:
        text = _inside(text, left, right)
    return _own_turn(text)


def marked(text: str) -> bool:
    """Whether marks of a template stand within a text: of places in the picture, or ones that are not known here."""
    return _MARK.search(text) is not None


def _final(text: str) -> str:
    """The last channel called final, where there are channels."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        finals = [found.end() for found in channels if found["name"] == "final"]
        return _ENDS.split(text[finals[-1] :], maxsplit=1)[0] if finals else ""
    if _BARE_ANALYSIS.match(text):
        return text.rpartition(_BARE_FINAL)[2] if _BARE_FINAL in text else ""
    return text


def _inside(text: str, left: str, right: str) -> str:
    """What stands between two tags, if nothing is said after them; else the text without the tags."""
    _, opened, rest = text.rpartition(left)
    inside, closed, after = rest.partition(right)
    if (opened or closed) and not any(char.isalnum() for char in after):
        return inside
    return text.replace(left, "").replace(right, "")


def _own_turn(text: str) -> str:
    """The first turn that says anything; a text without marks of turns as it is."""
    if not _TURN.search(text):
        return text
    said = (turn.strip() for turn in _TURN.split(text))
    return next((turn for turn in said if turn and turn not in _ROLES), "")
