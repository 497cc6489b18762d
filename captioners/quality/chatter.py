"""What an assistant says to whoever asked (offers to say more, at a caption's end), and captions that are lists."""

from __future__ import annotations

import re

from .tidy import structured

_OFFERS = (
    # English
    r"(?:would|do|did|shall|should) (?:you|i) (?:like|want|need|prefer)\b[^?\n]{0,200}\?",
    r"(?:(?:please )?(?:feel free|do(?: not|n't) hesitate) to|(?:please |just )?let me know (?:if|whether|what|how)"
    r"\b|let me know[.!]|is there anything (?:else|specific)\b|i hope (?:this|that|it) |hope (?:this|that) helps"
    r"|if (?:you|there)(?:'d| would| have| need| want| is|'re| are| like| provide)\b[^.!?\n]{0,120}"
    r"\b(?:let me know|feel free|i can|i'd be|i'll|i would|just ask|please)\b|i(?:'d| would| can| could)(?: also)? "
    r"(?:be happy|be glad|happily|provide|also provide|expand)\b)[^\n]{0,300}",
    # Chinese, Japanese
    r"(?:如果|若|如)(?:您|你)?(?:还|有|需要|想|能)[^。！？\n]{0,60}(?:请|我|告诉|随时)[^\n]{0,60}",
    r"(?:您|你)(?:是否|还)?(?:需要|想要?|希望)(?:我|了解)[^\n]{0,60}|(?:需要|要不要)我[^\n]{0,60}|希望(?:这|对您|对你|以上)[^\n]{0,60}",
    r"(?:ご希望|必要|ほか|他|何か|さらに|もし|ご不明|ご質問)[^。！？\n]{0,60}(?:ください|くださいませ|しましょうか|ますか|お申し付け|いただけ)"
    r"[^\n]{0,40}|お役に立て[^\n]{0,60}",
    # German, French, Spanish, Portuguese
    r"(?:möchtest du|möchten sie|soll ich|willst du|wollen sie|brauchst du|benötigen sie)\b[^\n]{0,200}",
    r"(?:lass|lassen sie|sag|sagen sie|gib|geben sie) (?:es )?(?:mich|mir)\b[^\n]{0,200}|wenn (?:du|sie)\b[^.!?\n]"
    r"{0,120}\b(?:lass|lassen|gerne|sag|melde)\b[^\n]{0,100}|ich hoffe,? (?:das|dies|die)\b[^\n]{0,100}",
    r"(?:souhaitez-vous|voulez-vous|aimeriez-vous|désirez-vous|souhaites-tu|veux-tu|voudriez-vous)\b[^\n]{0,200}",
    r"(?:n'hésitez pas|n'hésite pas|dites-moi|dis-moi|faites-moi savoir|j'espère que|si vous (?:souhaitez|avez|voulez))"
    r"\b[^\n]{0,200}",
    r"¿?(?:te gustaría|le gustaría|quieres|quiere|desea|deseas|necesitas|necesita) (?:que|más|una?|saber)\b"
    r"[^\n]{0,200}",
    r"(?:avísame|avíseme|házmelo saber|hágamelo saber|no dudes en|no dude en|espero que (?:esto|esta|te|le))\b"
    r"[^\n]{0,200}|si (?:quieres|necesitas|deseas|tienes|necesita|desea)\b[^.!?\n]{0,120}\b(?:puedo|avísame|dime)\b"
    r"[^\n]{0,100}",
    r"(?:você )?(?:gostaria (?:que|de)|quer que eu|deseja que|precisa de mais)\b[^\n]{0,200}",
    r"(?:me avise|avise-me|diga-me|me diga|não hesite|fique à vontade|espero que (?:isso|esta|tenha))\b[^\n]{0,200}"
    r"|se (?:você )?(?:quiser|precisar|desejar|tiver)\b[^.!?\n]{0,120}\b(?:posso|avise|diga|basta)\b[^\n]{0,100}",
)
_BEGINNING = r"(?:^|(?<=[.!?。！？…\"”*)] )|(?<=[。！？\n]))"
_OFFER = re.compile(rf"{_BEGINNING}[*_(]{{0,3}}(?:{'|'.join(_OFFERS)})[*_)\s]{{0,9}}", re.IGNORECASE)
_RULE = re.compile(r"\n[-*_]{3,9}\s{0,20}$")

_ITEM = re.compile(
    r"^[ \t]{0,8}(?:\(?\d{1,2}(?:[.):][ \t]|[.)、．](?=[^\W\d]))|[-*•‣·–][ \t]|[①-⑳]|"
    r"[一二三四五六七八九十]{1,2}、|#{1,6} |\|[^\n]*\||\*\*[^*\n]{1,60}\*\*|(?:scene|shot|step|part|场景|镜头|"
    r"シーン|カット|szene|scène|escena|cena) ?\d{1,2} ?[:：.)-])",
    re.MULTILINE | re.IGNORECASE,
)
_PART = re.compile(r"\n[ \t]{0,3}#{1,6} \w")  # a heading within the text
_ON_ONE_LINE = re.compile(
    r"\(?1[.)] [^\n]{1,600}?[ \n]\(?2[.)] |①[^\n②]{1,600}②|一、[^\n]{1,600}?二、|(?:scene|shot|step) 1[:.)]"
    r"[^\n]{1,600}?(?:scene|shot|step) 2[:.)]",
    re.IGNORECASE,
)


def without_offers(text: str) -> str:
    """The text up to the sentences at its end in which the assistant speaks to whoever asked; all of it, if there are
    none, or nothing would be left."""
    for found in _OFFER.finditer(text):
        if not any(char.isalnum() for char in text[found.end() :]) or _OFFER.match(text, found.end()):
            before = _RULE.sub("", text[: found.start()].rstrip()).rstrip()
            return before if any(char.isalnum() for char in before) else text
    return text


def offers(text: str) -> bool:
    """Whether the assistant speaks to whoever asked, anywhere."""
    return _OFFER.search(text) is not None


def listed(text: str) -> bool:
    """Whether a text is a list, a table or JSON: two lines or more that begin with a number, a bullet, a heading or a
    bar, or "1. ... 2. ...", or a heading within."""
    several = sum(1 for _ in _ITEM.finditer(text)) > 1 or _PART.search(text) is not None
    return several or _ON_ONE_LINE.match(text) is not None or structured(text)
