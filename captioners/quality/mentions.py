"""Talk about the pictures instead of what they show: openings such as "The video shows", frame numbers, timestamps.

ShareGPT4Video forbids its captioner to speak of frames and times (arXiv 2406.04325), and models do it all the same.
What belongs to the picture is left alone: "enters the frame", "a bicycle frame", "for 5 seconds", a clock at 10:30.
The words are English ones here; of other languages they stand in `openings.py` and `moments.py`.
"""

from __future__ import annotations

import re

from .moments import timed, untimed
from .openings import opened, past_opening
from .tidy import tidied

# White space is taken at once and never given back (`\s++`): two such pieces in a row would try every way to share it.
_ORDINAL = (
    r"(?:very\s++)?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|final|next|previous|"
    r"preceding|current|initial|subsequent|following|earlier|later|middle|opening|closing|\d+(?:st|nd|rd|th))"
)
_COUNT = r"(?:few|several|two|three|four|five|six|seven|eight)"
_FRAMES = r"(?:video\s++|key[\s-]?)?frames?\b"
_ORDERED = rf"{_ORDINAL}\s++(?:{_COUNT}\s++)?{_FRAMES}"  # "first frame", "last few frames"
_ALL = r"(?:this|each|every|both|these|those|all|consecutive|adjacent|successive)"
_GROUPED = (  # "between the two frames", "in all of the frames"; not "two frames on the wall"
    rf"(?:between|across|throughout)\s++(?:(?:{_ALL}|of|the)\s++)*(?:{_COUNT}\s++)?{_FRAMES}"
    rf"|in\s++{_ALL}\s++(?:(?:{_ALL}|of|the)\s++)*(?:{_COUNT}\s++)?{_FRAMES}"
)
_NUMBERED = r"(?:key-?)?frames?\s*+(?:#|no\.|number\b)?\s*+\d+(?:\s*+(?:-|–|,|to|and)\s*+\d+)*"
_CLOCK = r"\d{1,2}:[0-5]\d(?::[0-5]\d)?(?:\.\d+)?"
_SECONDS = r"\d{1,4}(?:\.\d+)?[\s-]?(?:s|secs?|seconds?)\b"
_TO = r"\s*+(?:-|–|—|,|to|until|and)\s*+"
_ABOUT = r"(?:(?:about|around|approximately|roughly|exactly)\s++)?"
_TIMES = rf"(?:\d+(?:\.\d+)?{_TO})?{_SECONDS}(?:{_TO}{_SECONDS})?|{_CLOCK}(?:{_TO}{_CLOCK})?"
_MARK = rf"(?:{_CLOCK}|{_SECONDS})[\s-]mark\b"
_EARLY = r"(?:0?0:[0-5]\d(?:\.\d+)?|00:[0-5]\d:[0-5]\d(?:\.\d+)?)\b"  # the clock of a short clip, not of a wall

_TALK = re.compile(
    rf"\b(?:{_ORDERED}|{_GROUPED}|(?:this|each|every|consecutive|adjacent|successive)\s++{_FRAMES}|key-?frames?\b|"
    rf"{_NUMBERED}|frame\s++(?:one|two|three|four|five|six|seven|eight)\b|frame[\s-]to[\s-]frame\b|{_MARK}|"
    rf"at\s++{_ABOUT}(?:t\s?=\s?)?{_SECONDS}|(?:from|between)\s++(?:\d+(?:\.\d+)?{_TO}{_SECONDS}|{_SECONDS}{_TO}\d)|"
    rf"(?:at|from|between|until)\s++{_ABOUT}{_EARLY}|at\s++(?:the|this|that)\s++timestamp\b|timestamps?\s++\d)"
    rf"|[(\[（【]\s*+(?:{_TIMES})\s*+[)\]）】]",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    rf"\s{{0,3}}[(\[（【]\s*+(?:(?:at|from|around|time|timestamp)\s++|t\s?=\s?)?(?:{_TIMES}|{_NUMBERED})\s*+[)\]）】]",
    re.IGNORECASE,
)
_START = r"(?P<start>^|[.!?][\"”’']?\s++|\n\s{0,20})"  # no \s*: a run of blanks must not be gone through at each
_LEADING = re.compile(
    rf"{_START}(?:"
    rf"(?:(?:in|at|by|from|during|on|over)\s++(?:the\s++)?(?:{_ORDERED}|{_NUMBERED}|{_MARK}|{_ALL}\s++{_FRAMES})"
    rf"|(?:at|from|between)\s++(?:timestamp\s++)?{_ABOUT}(?:{_TIMES})|{_GROUPED})"
    r"(?:\s++of\s++(?:the|this)\s++(?:video|clip|sequence|footage))?\s*+,\s++"
    rf"|(?:{_NUMBERED}|{_TIMES})\s*+(?::|-|–|—)\s++)(?P<next>\w)",
    re.IGNORECASE,
)

_PICTURE = (
    r"(?:video(?:\s++clip)?|clip|footage|recording|image|picture|photo(?:graph)?|frame|scene|shot|sequence|snippet)s?"
)
_WHAT = r"(?:(?:short|given|provided|entire|whole|brief)\s++)*"
_ADVERB = r"(?:(?:clearly|mainly|primarily|also|simply)\s++)?"
_SHOWS = (
    r"(?:shows?|depicts?|features?|presents?|displays?|captures?|portrays?|illustrates?|showcases?|contains?"
    r"|(?:is|are)\s++(?:of|showing|depicting)|(?:appears?|seems?)\s++to\s++(?:show|depict)"
    r"|(?:begins?|starts?|opens?)\s++(?:with|on|by\s++showing))\b"
)
_SEE = r"(?:we|you|one|viewers?)\s++(?:can\s++|are\s++able\s++to\s++)?(?:clearly\s++)?(?:see|observe)\b"
_ARTICLE = r"(?:an?|the|there|one|two|three|some|several|many)"  # "In the image a man", not "In the photo booth"
_NAME = r"(?:caption|description|summary|sentence|answer|response)"
_OPENING = re.compile(
    rf"(?:"
    rf"(?:(?:sure|certainly|of\s++course|okay)[,.!]?\s++)?(?:here(?:['’]s|\s++is|\s++are)|below\s++is|this\s++is)\s++"
    rf"(?:(?:a|an|the|your|one)\s++)?(?:[\w-]++\s++){{0,4}}?{_NAME}(?:\s++(?:of|for)\s++(?:the|this|your)\s++{_WHAT}{_PICTURE})?"
    rf"\s*+:|"
    rf"[*_#]{{0,6}}\s?(?:(?:the|a|short|brief|detailed|dense|final|one-sentence|video|clip|image)\s++)*{_NAME}\s*+(?::[*_]*|[*_]+:)|"
    rf"[*_#]{{1,6}}\s?(?:video\s++|final\s++)?{_NAME}[*_]{{0,3}}[ \t]{{0,9}}\n|"
    rf"(?:the|this|these)\s++{_WHAT}(?:{_ORDINAL}\s++)?{_PICTURE}(?:\s++of\s++(?:frame|image)s)?\s++{_ADVERB}{_SHOWS}(?:\s++that\b)?|"
    rf"(?:this\s++is\s++)?a\s++{_WHAT}video(?:\s++clip)?\s++(?:of|showing|depicting|featuring)\b|"
    rf"in\s++(?:the|this|these)\s++{_WHAT}{_PICTURE}(?:\s*+,?\s*+{_SEE}(?:\s++that\b)?|\s*+,|\s++(?={_ARTICLE}\b))|"
    rf"{_SEE}(?:\s++that\b)?)",
    re.IGNORECASE,
)
_NO_SUBJECT = re.compile(  # what follows is no sentence without its opening: "how a door opens", "him leaving"
    r"(?:how|why|what|where|when|whether|who|which|if|him|them|us|me|it|to|by|of|on|at|in|being|as|and|but|or|is|are|was|"
    r"were|has|have|can|will|also|through)\b",
    re.IGNORECASE,
)

_OPENINGS = 50  # that are cut off a text, one after another


def mentioned(text: str) -> bool:
    """Whether a caption opens by speaking of the video, or speaks of frames or timestamps anywhere."""
    english = any(found is not None for found in (_OPENING.match(text), _TALK.search(text), _LEADING.search(text)))
    return english or opened(text) or timed(text)


def cleaned(text: str) -> str:
    """The text without what can be cut and leaves sentences: openings, "In the first frame, ", "(0:05)", "Frame 2: ".

    What cannot be cut stays, for `mentioned` to find. Text without such talk is returned as it is; cleaning twice is
    cleaning once, but for a text that is a row of openings.
    """
    for _ in range(_OPENINGS):
        shorter = _without_opening(_cut(text))
        if shorter == text:
            break
        text = shorter
    return text


def _cut(text: str) -> str:
    fewer = _LEADING.sub(lambda found: found["start"] + found["next"].upper(), _BRACKETED.sub("", text))
    fewer = untimed(fewer)
    return text if fewer == text else _capitalised(fewer)


def _without_opening(text: str) -> str:
    found = _OPENING.match(text)
    end = found.end() if found else past_opening(text)
    rest = tidied(text[end:].lstrip(" \t\r\n,:;*_-–—，：；、。")) if end else ""
    whole = rest[:1].isalnum() and not (found and _NO_SUBJECT.match(rest))
    return _capitalised(rest) if whole else text


def _capitalised(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]
