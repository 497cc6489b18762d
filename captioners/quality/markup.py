"""HTML and Markdown in an answer as plain text: tags, entities, bold type, links, titles.

What a list is made of stays or becomes one (`<li>`, headings), so that a list is found as what it is. What is read in
the picture is left alone: a tag in quotation marks or back quotes, "a < b", "<3", "f**k".
"""

from __future__ import annotations

import html
import html.entities
import re

_BLOCKS = (
    r"p|br|div|section|article|main|header|footer|body|html|head|title|blockquote|pre|figure|figcaption|center|"
    r"ul|ol|dl|table|thead|tbody|hr|(?:[a-z]{1,20}_){0,2}(?:caption|description|summary|paragraph|text|scene|content)"
)
_ITEMS = {"li": "\n- ", "dt": "\n- ", "dd": "\n", "tr": "\n", "td": "|", "th": "|"}
_INLINE = r"span|strong|em|small|big|sub|sup|mark|font|del|ins|code|kbd|img|cite|abbr|wbr"
_PAIRED = frozenset({"a", "b", "i", "q", "s", "u"})  # letters: `<b>` alone may be anything
_ATTRIBUTES = r"""(?:\s++[\w:-]{1,40}\s?=\s?(?:"[^"<>]{0,400}"|'[^'<>]{0,400}'|[^\s<>"']{1,400}))*+\s*+/?"""
_TAG = re.compile(
    r"(?P<read>(?<!\w)[\"“«`][^\"”»`\n]{1,120}[\"”»`](?!\w))"
    rf"|<(?P<end>/?)(?P<name>(?P<block>{_BLOCKS})|{'|'.join(_ITEMS)}|(?P<heading>h[1-6])|{_INLINE}|"
    rf"[abiqsu]){_ATTRIBUTES}>"
    r"|<!--[^<>]{0,400}-->|<!doctype[^<>]{0,200}>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp;)*+(?P<name>#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)|&amp;")

_BOLD = re.compile(r"(?<![A-Za-z0-9*])\*{2,3}(?P<inside>[^\s*](?:[^*\n]{0,1000}[^\s*])?)\*{2,3}(?![A-Za-z0-9*])")
_ITALIC = re.compile(r"(?<![A-Za-z0-9*])\*(?P<inside>[^\s*](?:[^*\n]{0,400}[^\s*])?)\*(?![A-Za-z0-9*])")
_LABEL = re.compile(r"^[ \t]{0,8}(?:[-*•] )?\*\*", re.MULTILINE)
_LINK = re.compile(r"!?\[(?P<shown>[^\[\]\n]{0,200})\]\((?:https?://|data:|#)[^()\s]{0,400}\)")
_RULED = re.compile(r"^[ \t]{0,8}([-*_=])(?:[ \t]?\1){2,20}[ \t]{0,8}$", re.MULTILINE)
_NOT_TITLES = (  # headings of a caption, or of thoughts, are looked for elsewhere
    r"(?:[\w'’-]{1,20} ){0,2}(?:caption|description|summary|sentence|answer|response|output|thinking|thoughts?|process|"
    r"reasoning|analysis)\b"
)
_TITLE = re.compile(
    rf"(?:#{{1,6}}[ \t]{{1,4}}(?!{_NOT_TITLES})[^\n]{{1,150}}|\*\*(?!{_NOT_TITLES})[^*\n]{{1,150}}(?<!:)\*\*)"
    r"(?<![.!?。！？…:：])(?<![.!?。！？…:：]\*\*)[ \t]{0,8}\n\s{0,20}(?=[^\s#*|\-•])(?!\d{1,2}[.)])",
    re.IGNORECASE,
)
_SAID = re.compile(r"#{1,6}[ \t]{1,4}(?=[^\n]{0,400}[.!?。！？…][ \t]{0,8}\n)")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]", re.MULTILINE)


def plain(text: str) -> str:
    """The text without tags, entities, bold type and links; a title above a text goes with its line."""
    text = _unescaped(_untagged(text))
    text = _LINK.sub(lambda found: found["shown"], text)
    if len(_HEADING.findall(text)) < 2 and len(_LABEL.findall(text)) < 2:
        title = _SAID.match(text) or _TITLE.match(text)
        text = _BOLD.sub(lambda found: found["inside"], text[title.end() if title else 0 :])
        text = _ITALIC.sub(lambda found: found["inside"], text)
        if "\n" in text:
            text = _RULED.sub("", text).strip()
    return text


def _untagged(text: str) -> str:
    if "<" not in text:
        return text
    low = text.lower()
    single = {name for name in _PAIRED if f"</{name}>" not in low}

    def instead(found: re.Match[str]) -> str:
        if found["read"]:
            return found[0]
        name = (found["name"] or "").lower()
        if name in single:
            return found[0]
        if name in _ITEMS:
            return _ITEMS[name] if not found["end"] else "|" if name == "tr" else ""
        if found["heading"]:
            return "\n" if found["end"] else "\n# "
        return "\n" if found["block"] else ""

    shown = _TAG.sub(instead, text)
    if shown == text:
        return text
    return re.sub(r"(?<=\n[-#]) ?\n(?=\w)", " ", re.sub(r"\s{0,9}\n\s{0,9}", "\n", f"\n{shown}")).strip()


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda found: _character(found["name"]) if found["name"] else "&", text)


def _character(name: str) -> str:
    """What an entity stands for; of one that is none, itself."""
    if name.startswith("#") or name in html.entities.html5:
        return html.unescape(f"&{name}").replace("\xa0", " ")
    return f"&{name}"
