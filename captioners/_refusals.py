"""Finds answers that decline instead of describing. Only the start of an answer counts: what people in a clip say, or a
sign reads, stands within a sentence or in quotation marks.
"""

from __future__ import annotations

import re

_CANNOT = r"(?:can'?t|cannot|can not|won'?t|will not|could not|couldn'?t)"
_UNABLE = r"(?:am|'m|are|'re) (?:unable|not able)"
_MEDIA = r"(?:image|video|frame|clip|picture|photo|file)s?"
_DO = (
    r"(?:assist|help|provide|describe|identify|recogni[sz]e|process|access|analy[sz]e|fulfil|fulfill|comply|generate|"
    r"create|caption|complete|discuss|answer|engage|support|determine|do this|do that|(?:see|view|watch) "
    rf"(?:the|an|any|a|your) {_MEDIA})"
)
_NOT = rf"(?:(?:really |simply |currently )?{_CANNOT}|{_UNABLE})"

_REFUSALS = (
    rf"(?:i|we) (?:really |simply |currently )?{_CANNOT} {_DO}\b",
    rf"(?:i|we) ?{_UNABLE} to\b",
    rf"(?:i|we) (?:do not|don't) (?:have (?:the ability|access)|(?:have|see) any {_MEDIA})\b",
    r"(?:i ?'m|i am|we ?'re|we are) (?:\w+ )?sorry,? but\b",
    rf"(?:i ?'m|i am|we ?'re|we are) (?:\w+ )?sorry[,.]? (?:i|we) ?{_NOT}",
    rf"i (?:must )?apologi[sz]e\b[^.!?]{{0,80}}{_NOT}",
    r"i must decline\b",
    r"as an? (?:(?:large )?language model|(?:text-based )?(?:ai|artificial intelligence)(?: language)?"
    r"(?: model| assistant| system)?)\b[^.!?]{0,60}\b(?:i|my)\b",
    rf"(?:it (?:seems|looks|appears) (?:like |that )?)?(?:there (?:is|are|was|were) )?no {_MEDIA} "
    r"(?:(?:is|are|was|were|has been|have been) )?(?:provided|attached|uploaded|given|shared)\b",
    rf"please (?:provide|upload|share|attach)\b[^.!?]{{0,40}}\b{_MEDIA}\b",
)
_REFUSAL = re.compile(
    rf"(?:(?:unfortunately|sorry|apologies|my apologies)[,.]? (?:but )?)?(?:{'|'.join(_REFUSALS)})", re.IGNORECASE
)


def refuses(text: str) -> bool:
    """Whether a text begins as a refusal does: "I'm sorry, but I can't", "As an AI, I", "No video was provided"."""
    return _REFUSAL.match(" ".join(text[:500].replace("’", "'").split())) is not None
