"""Answers that say nothing but that the video is blank, black or empty: "The image appears to be completely black."

Such an answer speaks of what was sent, and is asked for again, in the seven languages. The rule: every sentence of it
says that of the video, the image or the frames, or that there is nothing to see. A caption of something dark is let
through: one that speaks of the screen, the scene, the sky ("The screen is black."), and any that goes on to what is
seen ("The image is black, then a lamp lights up.").
"""

from __future__ import annotations

import re

_MEDIA = r"(?:video(?: clip)?|clip|image|picture|photo|frame|footage|recording|file)s?"
_THESE = (
    r"(?:(?:the|this|these|your|all|each|every|both|of|provided|given|uploaded|entire|whole|short|video) ){0,4}"
    rf"{_MEDIA}(?: you (?:have )?(?:provided|shared|uploaded|sent))?"
)
_BE = r"(?:is|are|was|were|(?:appears?|seems?|looks?)(?: to be| like)?|remains?)(?: just| all| both)?"
_FULLY = r"(?:(?:completely|entirely|totally|fully|all|purely|mostly|just|simply|either|currently|solid) ){0,2}"
_NONE = (
    r"(?:blank|black|empty|corrupted|damaged|missing|not loaded|unreadable"
    r"|an? (?:solid |plain |pure |completely ){0,2}(?:black|blank|empty) (?:screen|frame|image|video|picture))"
)
_SEEN = r"(?:visible |discernible |recogni[sz]able |identifiable )?"
_CONTENT = rf"(?:content|imagery|information|data|objects?|subjects?|details?|visuals?|{_MEDIA})"
_NO_MORE = (  # "with no visible content", ", so there is nothing to describe"
    r"(?:,? (?:so|therefore|which means|making it|meaning)\b[^.!?\n]{0,200}"
    r"|,? (?:with|and|showing|containing|without)(?: (?:there (?:is|are)|it|shows?|contains?|displays?|has|have))?"
    rf"(?: (?:no|any|nothing|does not|doesn't|not))?(?: (?:show|contain))?(?: any)?(?: {_SEEN}{_CONTENT})?"
    rf"(?: (?:or|and) {_SEEN}{_CONTENT})?(?: (?:visible|at all|to (?:describe|see|caption)|in (?:it|them)))?)?"
)
_ENGLISH = (
    rf"{_THESE} {_BE} {_FULLY}{_NONE}(?:(?:,? or|,? and|,) {_FULLY}{_NONE})*{_NO_MORE}",
    rf"{_THESE} {_BE} (?:completely|entirely|totally|fully|purely|solid|all) white{_NO_MORE}",
    rf"{_THESE} (?:does not|doesn't|do not|don't) (?:appear to |seem to )?(?:contain|show|display|have) "
    rf"(?:anything|any {_SEEN}{_CONTENT})(?: or {_SEEN}{_CONTENT})?(?: at all)?",
    rf"{_THESE} (?:shows?|contains?|displays?|has|have) (?:nothing|no {_SEEN}{_CONTENT})(?: at all)?",
    rf"(?:i|we) (?:can |can only |only )?see (?:nothing|no {_MEDIA}|only (?:black|blank|darkness)|a (?:blank|black) "
    rf"{_MEDIA})(?: (?:here|attached|provided|in (?:the|this|your) \w+))?",
    rf"(?:i|we) (?:do not|don't|cannot|can't|could not|couldn't) see (?:anything|any {_MEDIA}|the {_MEDIA})"
    rf"(?: in (?:the|this|your) \w+)?{_NO_MORE}",
    rf"there (?:is|are|was|were|(?:appears?|seems?) to be) (?:nothing|no {_SEEN}{_CONTENT})"
    rf"(?: (?:visible|here|present|available|shown|at all|to (?:be )?(?:describe|see|caption|seen|shown)"
    rf"|in (?:the|this|your) {_MEDIA}))*",
    rf"no {_MEDIA} (?:(?:is|are|was|were) )?(?:visible|shown|displayed|available|present|there|found|here|received)",
    rf"(?:(?:a|an|the) )?(?:blank|empty|missing) {_MEDIA}|blank|no {_SEEN}{_CONTENT}",
    r"nothing (?:is |can be )?(?:visible|seen)",
)
_OTHERS = (
    # Chinese, Japanese
    r"(?:[这這该該此]|提供的|您|你|上传的){0,3}(?:一?[个個段张張些])?(?:视频|視頻|图片|圖片|图像|圖像|影片|照片|帧|幀)(?:内容|文件)?"
    r"(?:似乎|好像|看起来|完全|全部|全|都|均|是|为|一片|呈|显示|一个|一张)*"
    r"(?:空白|全黑|纯黑|黑色|漆黑|黑屏|黑|空)(?:的|色|屏|画面|图片|图像)*",
    r"(?:没有|未)(?:看到|收到|检测到|发现)(?:任何)?(?:视频|图片|图像|帧|内容|画面)(?:内容)?",
    r"(?:この|その|提供された)?(?:動画|画像|映像|ビデオ|クリップ|フレーム)(?:全体)?[はが](?:完全に|すべて|全て|ただの|全体が|真っ)*"
    r"(?:黒|暗|空白|空|白紙)(?:い|一色|色|画面|の|な|フレーム)*(?:です|ようです|になっています|に見えます|だ|である)?",
    r"(?:画像|動画|映像|フレーム)(?:は|が)(?:見えません|ありません|見当たりません)",
    # German, French, Spanish, Portuguese
    r"(?:das|der|die|dieses|alle|diese) (?:video|videoclip|clip|bild|bilder|einzelbilder|frames?|aufnahme) "
    r"(?:ist|sind|scheint|scheinen|wirkt) (?:(?:komplett|völlig|vollständig|ganz|nur|leider) ){0,2}"
    r"(?:leer|schwarz)(?: zu sein)?|ich sehe (?:hier )?(?:keine? (?:bild|bilder|video|frames?|einzelbilder)|nichts)",
    r"(?:(?:la|les|le|cette|ces) |l')(?:vidéo|images?|clip|photo|fichier) (?:est|sont|semblent?|paraît) (?:être )?"
    r"(?:(?:complètement|entièrement|totalement) )?(?:vides?|noire?s?|vierges?)|je ne vois rien(?: \w+){0,3}",
    r"(?:el|la|las|los|este|esta) (?:v[ií]deo|imagen|imágenes|clip|fotogramas?) (?:está|están|parece|parecen|es)"
    r"(?: estar)? (?:(?:completamente|totalmente) )?(?:en blanco|en negro|vac[ií][oa]s?|negr[oa]s?)|no veo nada",
    r"(?:o|a|as|os|este|esta) (?:v[ií]deo|imagem|imagens|clipe|frames?) (?:está|estão|parece|parecem|é)"
    r"(?: estar)? (?:(?:completamente|totalmente) )?(?:em branco|vazi[oa]s?|pret[oa]s?)|não vejo nada",
)
_SENTENCE = re.compile(
    r"(?:(?:unfortunately|sorry|it (?:seems|appears|looks)(?: like| that)?|apparently|currently)[,.]? (?:that )?)?"
    rf"(?:{'|'.join((*_ENGLISH, *_OTHERS))})",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?。！？]+")
_MOST = 500  # characters: what is longer describes something


def blank(text: str) -> bool:
    """Whether a text says of the video that it is blank, in every sentence."""
    if len(text) > _MOST:
        return False
    said = " ".join(text.replace("’", "'").split())
    sentences = [one.strip(" \"'*_()[]") for one in _END.split(said)]
    sentences = [one for one in sentences if one]
    return bool(sentences) and all(_SENTENCE.fullmatch(one) for one in sentences)
