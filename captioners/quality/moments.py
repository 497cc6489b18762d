"""Talk of frames and times in German, French, Spanish, Portuguese, Chinese and Japanese: "im ersten Frame", 第一帧.

What belongs to the picture is left alone: the frame of a bicycle (フレーム), a painting (cuadro), a picture on a wall.
English, and what is written alike everywhere ("(0:05)", "Frame 3"), stand in `mentions.py`.
"""

from __future__ import annotations

import re

_EARLY = r"(?:0?0:[0-5]\d(?:[.,]\d{1,4})?|00:[0-5]\d:[0-5]\d(?:[.,]\d{1,4})?)\b"
_NUMBER = r"\d{1,4}(?:[.,]\d{1,4})?"

_DE_ORDINAL = r"(?:erste|zweite|dritte|vierte|fünfte|letzte|nächste|vorherige|vorige|folgende|mittlere)[nmrs]?"
_DE = (
    rf"{_DE_ORDINAL}\s++(?:video)?frames?\b|einzelbild(?:er|ern|es|s)?\b|im\s++{_DE_ORDINAL}\s++bild\b"
    r"|(?:zwischen|in|allen?)\s++(?:den\s++)?(?:beiden|allen|jedem|diesen|diesem)\s++frames?\b"
    rf"|(?:bei|in|ab|zu)\s++(?:etwa\s++)?sekunde\s++\d|(?:bei|ab)\s++(?:etwa\s++|ca\.\s++)?{_NUMBER}\s?(?:s|sek|sekunden)\b"
    rf"|(?:bei|von|ab)\s++{_EARLY}|zeitstempel\s++\d"
)
_FR_ORDINAL = r"(?:premi(?:er|ère)|deuxième|seconde?|troisième|quatrième|derni(?:er|ère)|prochaine?)s?"
_FR_SECONDS = (
    rf"à\s++(?:environ\s++)?{_NUMBER}\s?(?:s|sec|secondes?)\b|à\s++la\s++(?:\d{{1,4}}e|\d{{1,4}}ème)\s++seconde"
    rf"|à\s++la\s++seconde\s++\d|(?:à|de)\s++{_EARLY}"
)
_FR_FRAMES = rf"(?:dans|sur|à)\s++(?:la|le|les)\s++(?:toute\s++)?{_FR_ORDINAL}\s++(?:images?|frames?)"
_FR = (
    rf"{_FR_FRAMES}(?!\s++(?:accroché|du\s++mur|au\s++mur))\b|{_FR_ORDINAL}\s++frames?\b|chaque\s++frame\b"
    rf"|images?[\s-]clés?\b|{_FR_SECONDS}|horodatage\s++\d"
)
_ES_ORDINAL = r"(?:primer|primeros|segundo|tercer|cuarto|quinto|últimos?|siguiente|anterior|próximo)"
_ES_SECONDS = (
    rf"a\s++los\s++{_NUMBER}\s++segundos|en\s++el\s++segundo\s++\d"
    rf"|(?:(?:en|desde)(?:\s++el\s++minuto)?|a\s++los|al\s++minuto)\s++{_EARLY}"
)
_ES_FRAMES = rf"en\s++el\s++{_ES_ORDINAL}\s++(?:cuadro|frame|fotograma)"
_ES = (
    rf"fotogramas?\b|{_ES_ORDINAL}\s++frames?\b|{_ES_FRAMES}\b(?!\s++(?:de|del|colgado|a)\b)|{_ES_SECONDS}"
    r"|marcas?\s++de\s++tiempo\s++\d"
)
_PT_ORDINAL = r"(?:primeiros?|segundo|terceiro|quarto|quinto|últimos?|próximo|seguinte)"
_PT_SECONDS = (
    rf"aos\s++{_NUMBER}\s++segundos|no\s++segundo\s++\d|(?:aos?|desde|em)\s++(?:o\s++)?(?:minuto\s++)?{_EARLY}"
)
_PT_FRAMES = rf"no\s++{_PT_ORDINAL}\s++(?:quadro|frame|fotograma)"
_PT = (
    rf"{_PT_ORDINAL}\s++frames?\b|{_PT_FRAMES}\b(?!\s++(?:da|de|do|pendurado|à)\b)|quadros?-chave|cada\s++frame\b"
    rf"|{_PT_SECONDS}"
)
_ZH_FRAME = (
    r"(?:(?:第\s?[一二三四五六七八九十\d]{1,4}|首|末|最[后後]一|每一?|各|[前后後上下这這]一|相邻|连续|[两兩几幾]|前[几两]|"
    r"中间|起始|该|所有)(?:个|的)?(?:关键|關鍵)?[帧幀])"
)
_ZH_SECOND = rf"(?:第\s?[一二三四五六七八九十\d]{{1,4}}\s?秒|{_NUMBER}\s?秒(?:时|時|处|處|的时候))"
_ZH = rf"{_ZH_FRAME}|{_ZH_SECOND}|(?:关键|關鍵)[帧幀]|[帧幀]\s?\d|(?:时间|時間)(?:戳|码|碼)\s?\d"
_JA_FRAME = (
    r"(?:(?:最初|最後|冒頭|直前|直後|中間|次|すべて|全て|それぞれ|両方|[一二三四五六七八九]つ目|\d{1,4}(?:つ|番|枚)目)の(?:\d{1,4})?"
    r"(?:フレーム|コマ目)|第\d{1,4}フレーム|(?:各|両|全|隣接する?|連続する)フレーム|\d{1,4}フレーム目|フレーム\s?\d{1,4})"
)
_JA_SECOND = rf"{_NUMBER}秒(?:の?時点|目|あたり|付近)"
_JA = rf"{_JA_FRAME}|{_JA_SECOND}|フレーム間|キーフレーム|(?:タイムスタンプ|タイムコード)\s?\d"

_TALK = re.compile(rf"\b(?:{_DE}|{_FR}|{_ES}|{_PT})|{_ZH}|{_JA}", re.IGNORECASE)
_LEADING = re.compile(  # without one that a German verb follows
    r"(?P<start>^|[.!?]\s++|[。！？]\s?|\n\s{0,20})(?:"
    rf"(?:{_FR_FRAMES}|{_FR_SECONDS}|{_ES_FRAMES}|{_ES_SECONDS}|{_PT_FRAMES}|{_PT_SECONDS})"
    r"(?:\s++(?:de\s++la|de\s++esta|del|do|da|deste)\s++v[ií]d[ée]o)?\s*+,\s++"
    rf"|在?(?:{_ZH_FRAME}|{_ZH_SECOND})的?(?:画面|畫面)?[中里裡时時上]?[，,]\s?"
    rf"|(?:{_JA_FRAME}(?:の中)?(?:では|で|には|に)|{_JA_SECOND}(?:では|で|に))[、,]\s?"
    r")(?P<next>\w)",
    re.IGNORECASE,
)


def timed(text: str) -> bool:
    """Whether a caption speaks of frames or timestamps anywhere."""
    return _TALK.search(text) is not None or _LEADING.search(text) is not None


def untimed(text: str) -> str:
    """Without "Dans la première image, " and its like, where sentences begin with them."""
    return _LEADING.sub(lambda found: found["start"] + found["next"].upper(), text)
