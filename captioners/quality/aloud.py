"""Thoughts that nothing marks: a model that thinks aloud before it answers, or under a heading of its own."""

from __future__ import annotations

import re

_HEADED = re.compile(
    r"[#*\s]{0,9}(?:thinking|thoughts?|thought process|reasoning)[*]{0,3}\s{0,3}(?::|\n)", re.IGNORECASE
)
_ANSWER = re.compile(
    r"\n[#*\s]{0,9}(?:final )?(?:answer|caption|response|description|output)[*]{0,3}\s{0,3}(?::[*]{0,3}|\n)",
    re.IGNORECASE,
)
_ALOUD = (
    # English
    r"(?:(?:okay|ok|alright|all right|hm+|well|so|first|got it|right)[,.!]? ){0,3}(?:"
    r"let me (?:think|analy[sz]e|break|look (?:at|through)|start by|go through|examine|try to|figure)"
    r"|let['’]s (?:tackle|analy[sz]e|break|think|start|look at|see what)"
    r"|the (?:user|prompt|task) (?:wants|asks|asked|is asking|needs|requests|requires|says)\b"
    r"|(?:we|i) (?:need|have|should|must)(?: to)? (?:produce|write|describe|caption|generate|create|provide|analy[sz]e"
    r"|answer|output|look at|respond)\b"
    r"|i['’]ll (?:describe|analy[sz]e|write|start|look)\b)",
    # Chinese, Japanese
    r"(?:好的?[，,]|嗯[，,]|首先[，,])?(?:用户(?:想|要|希望|让我|需要|给了|的问题)|让我(?:想|来?看|来?分析|仔细)"
    r"|我(?:需要|应该|来)(?:先|仔细|分析|描述|写|看))",
    r"(?:はい、|さて、|まず、)?ユーザーは[^。\n]{0,60}(?:求め|望|尋ね|欲し)",
    # German, French, Spanish, Portuguese
    r"(?:(?:okay|gut|also|hm+)[,.!]? )?(?:der (?:nutzer|benutzer|user) (?:möchte|will|fragt|bittet)"
    r"|lass mich (?:nach|über)?(?:denken|legen|sehen|schauen)|ich (?:muss|soll) (?:nun |jetzt )?(?:eine?|das|die) )",
    r"(?:(?:d['’]accord|bon|alors)[,.!]? )?l['’]utilisateur (?:veut|demande|souhaite)",
    r"(?:(?:bien|bueno|vale)[,.!]? )?el usuario (?:quiere|pide|solicita)",
    r"(?:(?:bem|ok|certo)[,.!]? )?o (?:usuário|utilizador) (?:quer|pede|pediu|solicita)",
)
_SPOKEN = re.compile("|".join(_ALOUD), re.IGNORECASE)


def aloud(text: str) -> bool:
    """Whether a text begins as a model that thinks aloud does: "Okay, let me look at the frames", "Thinking: ..."."""
    return _SPOKEN.match(text) is not None or _HEADED.match(text) is not None


def unheaded(text: str) -> str:
    """What follows the last heading of an answer, where the text begins with a heading of thoughts."""
    answers = [found.end() for found in _ANSWER.finditer(text)] if _HEADED.match(text) else []
    return text[answers[-1] :] if answers else text
