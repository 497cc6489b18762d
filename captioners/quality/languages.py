"""Whether a caption is in the language that is wanted, all of it: models answer in another one, or change halfway.

Scripts tell Chinese and Japanese from the others; of those that are written in Latin letters, the small words tell
which one it is. What a sign reads is in the language of the sign: text in quotation marks does not count, nor do a few
letters of another script after such a word as "reads" or "logo", nor names.
"""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh", "ja", "de", "fr", "es", "pt"]


def _small(words: str) -> frozenset[str]:
    return frozenset(words.split())


# small words that are none in the others that they are told from, but by chance; no names, no "die" or "an"
_WORDS: dict[Language, frozenset[str]] = {
    "en": _small(
        "the a an and of with is are in on at to from by for as his her their its it he she they that this which who "
        "while into over through behind between under there or but not be has have was were then no out up one two "
        "them him near toward towards across against along around after before some other"
    ),
    "de": _small(
        "der die das und ist sind ein eine einen einem einer eines mit auf von im zu den dem des für über unter neben "
        "vor hinter durch aus bei nach sich er sie es nicht wird werden während wobei wie als auch am ihr ihre ihrem "
        "ihren sein seine seinen seinem zum zur vom in an dann noch zwei mehrere links rechts keine"
    ),
    "fr": _small(
        "le la les un une des du de et est sont avec dans sur sous pour par qui que se il elle ils elles au aux ce "
        "cette ces son sa ses leur leurs en vers entre derrière devant pendant puis tandis où ne pas deux sans "
        "plusieurs d'un d'une l'arrière"
    ),
    "es": _small(
        "el la los las un una unos unas y es son está están con en de del al por para que se su sus lo como mientras "
        "sobre entre hacia desde hasta detrás delante junto muy más pero también luego donde dos sin otra otro ella él "
        "muchos muchas"
    ),
    "pt": _small(
        "o os as um uma uns umas e é são está estão com em de do da dos das no na nos nas ao à pelo pela por para que "
        "se seu sua seus suas como enquanto sobre entre até atrás mais mas também depois onde não dois duas sem ele "
        "ela muitos muitas à às"
    ),
}
_WINDOW = 8  # words
_TELLING = 3  # different small words of another language in a window, and none of the wanted one
_NEAR: frozenset[Language] = frozenset({"fr", "es", "pt"})  # of two of these, 2, or 2 in twice as many: they share many

_QUOTED = re.compile(
    r'"[^"\n]{0,400}"|“[^”\n]{0,400}”|«[^»\n]{0,400}»|„[^“”\n]{0,400}[“”]|‘[^’\n]{0,400}’|「[^」\n]{0,400}」|'
    r"『[^』\n]{0,400}』|《[^》\n]{0,400}》|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,400}'(?!\w)"
)
_NAME = re.compile(
    r"\b[A-Z][\w'’-]{0,40}(?: (?:de|la|las|los|el|del|du|des|do|da|dos|di|von|van|der|den|le|l)){1,3} [A-Z]"
)
_LATIN = re.compile(r"[^\W\d_]{1,60}(?:['’][^\W\d_]{1,60})?")

_HAN = "\u3400-\u9fff\uf900-\ufaff々〆"
_KANA = "\u3041-\u30ff\uff66-\uff9f"
_OTHER = "\u0370-\u058f\u0590-\u1aff\u1c80-\u1cff\u1100-\u11ff\uac00-\ud7af\ua000-\uabff"  # Greek to Hangul, no Latin
_ONE_HAN = re.compile(f"[{_HAN}]")
_ONE_KANA = re.compile(f"[{_KANA}]")
_OTHERS = re.compile(rf"[{_OTHER}]{{3,}}")
_FOREIGN = re.compile(rf"[{_HAN}{_KANA}]{{2,}}|[{_OTHER}]{{3,}}")
_READ = re.compile(
    r"\b(?:read|says?|saying|text|words?|letter|character|sign|label|titled?|logo|banner|chinese|japanese|korean|kanji|"
    r"hanzi|russian|cyrillic|arabic|greek|hebrew|hindi|thai|caption|subtitle|names?|called|written|writing|spell|print|"
    r"display|inscri|inscription|brand|script|poster|slogan|calligraphy|symbol|phrase|message)",
    re.IGNORECASE,
)
_READ_WITHIN, _READ_MOST = 60, 24  # characters: before a word of another script, and of it


def unquoted(text: str) -> str:
    """A text without what stands in quotation marks: signs, and what people say."""
    return _QUOTED.sub(" ", text)


def strays(text: str, language: Language | None) -> bool:
    """Whether a caption, or a part of it, is in another language than this one; None: than most of itself."""
    text = unquoted(text)
    if language is None:
        language = guessed(text)
    if language in ("zh", "ja"):
        return _strays_from_han(text, language)
    others = [other for other in _WORDS if other != language]
    return _foreign_script(text) or any(_says(text, other, wanted=language) for other in others)


def _characters(text: str) -> tuple[int, int]:
    """How many are Han, and how many kana."""
    return len(_ONE_HAN.findall(text)), len(_ONE_KANA.findall(text))


def guessed(text: str) -> Language:
    """Of most of a text; English where nothing tells."""
    han, kana = _characters(text)
    words = _words(text)
    if 2 * (han + kana) > 3 * len(words):  # about as much is said in two characters as in a word
        return "ja" if 8 * kana > han else "zh"
    counts = {language: sum(word in known for word in words) for language, known in _WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= _TELLING else "en"


def _strays_from_han(text: str, language: Language) -> bool:
    """Japanese is written with kana among the Han characters, Chinese without."""
    (han, kana), words = _characters(text), len(_words(text))
    if 3 * words > 2 * (han + kana) or _OTHERS.search(text):
        return words + han + kana > 3
    for sentence in re.split(r"[。！？.!?\n]", text):
        han, kana = _characters(sentence)
        if kana > max(3, han // 8) if language == "zh" else han > 9 and not kana:
            return True
    return any(_says(text, other, wanted=None) for other in _WORDS)


def _foreign_script(text: str) -> bool:
    """Whether words of another script stand in a Latin text otherwise than as what something reads."""
    for found in _FOREIGN.finditer(text):
        before = re.split(r"[.!?]\s", text[max(0, found.start() - _READ_WITHIN) : found.start()])[-1]
        if found.end() - found.start() > _READ_MOST or not _READ.search(before):
            return True
    return False


def _says(text: str, other: Language, *, wanted: Language | None) -> bool:
    """Whether so many words in a row hold small words of another language, and none of the wanted one."""
    known = _WORDS[wanted] if wanted else frozenset[str]()
    theirs, ours = _WORDS[other] - known, known - _WORDS[other]
    near = other in _NEAR and wanted in _NEAR
    words, telling = _words(text), _TELLING - near
    for size in (_WINDOW, 2 * _WINDOW) if near else (_WINDOW,):
        for start in range(max(1, len(words) - size + 1)):
            window = words[start : start + size]
            if len(theirs.intersection(window)) >= telling and ours.isdisjoint(window):
                return True
    return False


def _words(text: str) -> list[str]:
    """The words in Latin letters, without names such as "Paseo de la Reforma"."""
    return [word.casefold() for word in _LATIN.findall(_NAME.sub(" ", text)) if word[0] < "\u0250"]
