"""What thinking models and chat templates leave around an answer: thoughts, tags around the answer, marks of turns.

A server that keeps thoughts apart has taken them out already. What is left over is known here by the marks that models
use, wherever they stand: a tag that stood at the prompt's end is closed without having been opened.
"""

from __future__ import annotations

import re

from .aloud import unheaded
from .garbled import garbled

_TAGS = r"think|thinking|thoughts?|thought_process|reasoning|reflection|analysis|scratchpad|seed:think"
_OPENS = re.compile(
    rf"<(?:{_TAGS})>|<\|(?:{_TAGS})\|>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>|"
    rf"<\|channel>thought|<unused94>",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    rf"</(?:{_TAGS})>|<\|/(?:{_TAGS})\|>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>|<channel\|>|"
    rf"<unused95>",
    re.IGNORECASE,
)

_CHANNEL = re.compile(r"<\|channel\|>\s{0,9}(?P<name>\w{1,20})[^<]{0,99}<\|message\|>")  # of gpt-oss (harmony)
_ENDS = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_BARE_FINAL = "assistantfinal"  # where the marks were left out: "analysisWe need a caption.assistantfinalA dog runs."
_BARE_ANALYSIS = re.compile(r"\s{0,9}(?:assistant)?analysis(?=[A-Z])")

_ANSWERS = (
    *("answer", "final_answer", "response", "output", "result", "final"),
    *("caption", "final_caption", "video_caption", "description", "summary"),
)
_AROUND = (
    *((f"<{tag}>", f"</{tag}>") for tag in _ANSWERS),
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
_MARK = re.compile(
    r"<\|/?\w{1,40}\|>|</?(?:unk|image|video|audio|tool_call|ref|box|quad|point|loc_?\d{1,4})>|\u2581", re.IGNORECASE
)
_BOXED = re.compile(r"\s{0,9}\$?\\boxed\{(?:\\text\{)?(?P<inside>[^{}]{1,4000})\}{1,2}\$?\s{0,9}")
_SPEAKER = re.compile(r"(?:^|\n)[#*\s]{0,9}(?:(?P<ours>assistant)|user|human)[*]{0,2}:[*]{0,2}", re.IGNORECASE)


def answer_in(text: str) -> str:
    """The answer without thoughts and marks; nothing where there are only thoughts, or they do not end."""
    text = _final(text)
    ends = [found.end() for found in _CLOSES.finditer(text)]
    text = text[ends[-1] :] if ends else text
    if _OPENS.search(text):
        return ""
    for left, right in _AROUND:
        text = _inside(text, left, right)
    boxed = _BOXED.fullmatch(text)
    return unheaded(_own_turn(boxed["inside"] if boxed else text))


def marked(text: str) -> bool:
    """Whether marks of a template or a tokenizer stand within a text: of places in the picture, or ones that are not
    known here."""
    return _MARK.search(text) is not None or garbled(text)


def _final(text: str) -> str:
    """The last channel called final, where there are channels."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        finals = [found.end() for found in channels if found["name"] == "final"]
        return _ENDS.split(text[finals[-1] :], maxsplit=1)[0] if finals else ""
    if text.lstrip().startswith(_BARE_FINAL):
        return text.lstrip()[len(_BARE_FINAL) :]
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
    """The first turn that says anything; a text without marks of turns as it is, but for "ASSISTANT:" and "User:"."""
    if _TURN.search(text):
        said = (turn.strip() for turn in _TURN.split(text))
        text = next((turn for turn in said if turn and turn not in _ROLES), "")
    speakers = list(_SPEAKER.finditer(text))
    first = bool(speakers) and not text[: speakers[0].start()].strip()  # else what stands before is said by the model
    start = next((found.end() for found in speakers if found["ours"]), 0) if first else 0
    end = next((found.start() for found in speakers if found.start() > 0 and found.start() >= start), len(text))
    return text[start:end]
