"""What an assistant adds about its answer: notes and disclaimers at the end, counts of words, "this caption describes".

A note is one only where it speaks of the caption, the pictures or the assistant: "Note: the description is based on
four frames"; "Note: fragile" on a box, or a note that says what is seen, is left alone. "As requested" is what a waiter
may do, "as you requested" is not: a caption has no reader whom it speaks to, but in quotation marks.
"""

from __future__ import annotations

import re

from .languages import unquoted

_LEADS = (
    # English
    r"(?:please )?(?:note|be aware|keep in mind)(?: that\b|:)|(?:side |important )note:|disclaimer:|n\.?b\.?:"
    r"|it (?:should be noted|is worth noting|is important to note) that\b",
    # Chinese, Japanese
    r"(?:请|請)注意|(?:注意|备注|備註|注|免责声明|说明|ご注意|注記|免責事項|備考)[：:]|※|なお、",
    # German, French, Spanish, Portuguese
    r"(?:hinweis|anmerkung|haftungsausschluss)e?:|(?:bitte )?(?:beachten sie|beachte)\b",
    r"(?:note|remarque|avertissement|attention|nb) ?:|(?:veuillez noter|notez|à noter|il convient de noter)\b",
    r"(?:nota|aviso|advertencia):|(?:por favor,? )?(?:tenga|ten) en cuenta\b|cabe (?:señalar|destacar)\b",
    r"(?:observação|obs\.?|atenção):|(?:por favor,? )?(?:observe|note) que\b|vale (?:ressaltar|notar|lembrar)\b",
)
_BEGINNING = r"(?:^|\n|(?<=[.!?。！？…\"”»)] )|(?<=[。！？]))\s{0,9}[*_(（\[]{0,4}"
_NOTE = re.compile(
    rf"{_BEGINNING}(?:{'|'.join(_LEADS)})[*_]{{0,3}}(?=(?P<said>[^\n]{{1,600}}))",
    re.IGNORECASE,
)
_OF_ANSWER = re.compile(
    r"\b(?:captions?|descriptions?|answer|response|summary|output|analysis|interpretation|videos?|clips?|images?|frames?"
    r"|footage|prompt|as an ai|i (?:can|cannot|can't|have|am|was|did|do)|based (?:solely|only|purely|entirely) on"
    r"|beschreibung|bildunterschrift|antwort|bild(?:er|ern)?|einzelbild\w{0,3}|légende|réponse|vidéos?"
    r"|descripción|leyenda|respuesta|vídeos?|imagen|imágenes|fotogramas|descrição|legenda|resposta|imagem|imagens)\b"
    r"|描述|字幕|回答|视频|图片|图像|画面|帧|提供的|説明|キャプション|動画|画像|映像|フレーム",
    re.IGNORECASE,
)
_WORDS = r"(?:words|wörter|mots|palabras|palavras|字|文字)"
_COUNT = re.compile(  # "Word count: 30", "(30 words)"
    r"(?:^|(?<=[.!?。！？…\"”*_)\n]))\s{0,9}[*_(（\[]{0,4}"
    r"(?:(?:(?:total )?word[ -]count|words|字数|文字数|wörter|wortzahl|nombre de mots|mots|palabras|palavras)"
    rf"\s?[:：][*_]{{0,3}}\s?~?\d{{1,4}}(?: ?{_WORDS})?[)）\]]?"
    rf"|(?<=[(（\[])(?:approx(?:imately|\.)? |about |~|约)?\d{{1,4}} ?{_WORDS}[)）\]])"
    r"[.*_]{0,3}\s{0,9}$",
    re.IGNORECASE,
)
_RULE = re.compile(r"\n[-*_]{3,9}\s{0,20}$")
_NAME = r"(?:caption|description|summary)"
_OF_ITSELF = re.compile(
    r"\b(?:as|per) you(?:'ve| have)? (?:requested|asked|instructed|specified)\b"
    r"|\b(?:as per|per|following|according to) (?:your|the user's) (?:request|instructions?|prompt|guidelines)\b"
    r"|\bas (?:requested|instructed|specified) (?:by|in) (?:the|your) (?:user|prompt)\b"
    rf"|\bin this (?:single |concise |short )?(?:\d{{1,3}}|[a-z]{{3,12}})[- ]word {_NAME}\b"
    rf"|\bthis (?:(?:\d{{1,3}}-word|single|short|brief|concise|dense|detailed|video) ){{0,2}}{_NAME} "
    r"(?:describes|captures|provides|summari[sz]es|focuses|adheres|avoids|aims|is based)\b",
    re.IGNORECASE,
)
"""No words of a picture: "as requested", "this caption is in white", "following the instructions" may be."""


def without_notes(text: str) -> str:
    """The text up to a note or a count at its end; all of it where there is none, or no caption stands before."""
    count = _COUNT.search(text)
    text = _RULE.sub("", text[: count.start()].rstrip()).rstrip() if count and count.start() else text
    for found in _NOTE.finditer(text):
        before = _RULE.sub("", text[: found.start()].rstrip()).rstrip()
        last = not text[found.end("said") :].strip()
        if last and _OF_ANSWER.search(found["said"]) and before[-1:] not in ("", ":", "：", ","):
            return before if any(char.isalnum() for char in before) else text
    return text


def noted(text: str) -> bool:
    """Whether the text speaks of itself anywhere: a note, or "in this 30-word caption"."""
    notes = (found for found in _NOTE.finditer(text) if _OF_ANSWER.search(found["said"]))
    if next(notes, None) is not None or _COUNT.search(text) is not None:
        return True
    return _OF_ITSELF.search(unquoted(text)) is not None
