"""Text that was decoded wrongly: UTF-8 read as Windows-1252 ("donâ€™t"), tokens that were never turned into text.

Mended is only what no one writes: a letter such as "â" or "Ã" with a sign after it, where a lower-case letter or none
stands beside it. What a Portuguese, German or Maltese word may end in (MANHÃ…, GROß™, BORĠ) is left alone.
"""

from __future__ import annotations

import re

_HIGH = "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0))
_TAIL = rf"[\x80-\xbf{_HIGH}]"  # what a byte after the first of a character is read as
_LOWER = "[a-zà-öø-ÿ]"
_MISREAD = re.compile(
    rf"â€{_TAIL}|ðŸ{_TAIL}{{2}}|ï»¿|(?:ï[¼½¿]|ã€){_TAIL}|â„¢|â[†ˆ˜œ]{_TAIL}(?!\w)"
    rf"|(?:[ã-é]{_TAIL}{{2}}){{2,200}}|(?:[ÐÑ]{_TAIL}){{3,200}}"
    rf"|(?<={_LOWER})Ã[\xa0-\xbf]|Ã[\xa0-\xbf„Ÿœ‰ˆ‡–](?={_LOWER})"
    r"|(?<![^\W\d_])Â[\xa1-\xba\xbc-\xbf]"
)

_BROKEN = re.compile(
    r"\ufffd|<0x[0-9A-Fa-f]{2}>|\[(?:UNK|SEP|CLS)\]|\\u[0-9A-Fa-f]{4}"
    # GPT-2's alphabet of bytes: Ġ is a blank, Ċ a line break, âĢĻ an apostrophe
    r"|[a-z.,;:!?][ĠĊ]|[ĠĊ]{2}|[ĠĊ][a-z]{1,40}Ġ|[A-Z]Ġ[a-z]|âĢ|ðŁ|ï¼[\u0122-\u0143]"
    r"|(?:[ä-é][¡-¿\u0122-\u0143]{2}){2}"
    r"|[äåæçè][¡-ª¬\xad¯-¶¸-º¼-¿]"  # of UTF-8 that lost bytes on its way
)


def mended(text: str) -> str:
    """The text with what was read as Windows-1252 as it was meant; all else as it is."""
    return _MISREAD.sub(lambda found: _meant(found[0]), text)


def garbled(text: str) -> bool:
    """Whether characters are lost, or pieces of tokens are left, which nothing mends."""
    return _BROKEN.search(text) is not None


def _meant(read: str) -> str:
    raw = b"".join(char.encode("cp1252") if char in _HIGH else char.encode("latin-1") for char in read)
    try:
        return raw.decode("utf-8").replace("\ufeff", "")
    except UnicodeDecodeError:
        return read
