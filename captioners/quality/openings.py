"""Openings that speak of the video in German, French, Spanish, Portuguese, Chinese and Japanese: "Das Video zeigt".

What is cut leaves a sentence: not where a masculine accusative follows ("zeigt einen Mann"), a question word, or a verb
that stood second ("In diesem Video läuft ..."). Only a caption's beginning is looked at, and a video game, a video call
or a video screen in the picture is none. English stands in `mentions.py`.
"""

from __future__ import annotations

import re

# White space is taken at once and never given back, as in `mentions.py`.
_DE_PICTURE = r"(?:video(?:clip|sequenz|ausschnitt)?|clip|film|aufnahme|bild|foto|szene|sequenz|ausschnitt)(?:er|en|s)?"
_DE_SHORT = r"(?:(?:kurze[nrs]?|gezeigte[nrs]?|vorliegende[nrs]?|gesamte[nrs]?)\s++)?"
_DE_IN = rf"(?:im|(?:in|auf)\s++(?:diese[mnr]|de[mnr]))\s++{_DE_SHORT}{_DE_PICTURE}\b"
_DE_SEE = r"(?:sieht\s++man|sehen\s++wir|erkennt\s++man|können\s++wir\s++sehen|kann\s++man\s++sehen)\b"
_DE = (
    rf"(?:das|der|die|diese[rs]?)\s++{_DE_SHORT}{_DE_PICTURE}\s++zeig(?:t|en)\b(?!\s++sich\b)",
    rf"{_DE_IN}\s*+,?\s*+{_DE_SEE}",
    r"(?:man\s++(?:sieht|erkennt)|wir\s++sehen|(?:zu\s++sehen|gezeigt|abgebildet)\s++(?:ist|sind|wird|werden))\b",
)
_DE_NOT = (
    r"(?:,|(?:wie|dass|was|wo|wer|ob|(?:k?ein|d|dies|jed|jen)en|ihn|sich|uns|jemanden|niemanden|hier|also|auch|in|auf"
    r"|an|im|am|bei|deutlich)\b)"
)
_DE_STAYS = (
    rf"{_DE_IN}\s++(?:ist|sind|sieht|sehen|kann|können|wird|werden|zeigt|gibt|hat|haben|erscheint|läuft|laufen|geht|"
    r"gehen|steht|stehen|sitzt|sitzen|liegt|liegen|spielt|spielen|fährt|fahren|tanzt|tanzen|springt|springen)\b",
    rf"(?:das|der|die|diese[rs]?)\s++{_DE_SHORT}(?:video(?:clip|sequenz)?|clip|aufnahme|szene|sequenz)\s++"
    r"(?:beginnt|startet|endet|handelt|stellt|präsentiert|fängt|enthält)\b",
    rf"(?:das|dies|es)\s++ist\s++(?:ein|eine)\s++{_DE_SHORT}(?:video|videoclip|aufnahme)\b",
)

_FR_PICTURE = (
    r"(?:vidéos?|clips?|films?|séquences?|extraits?|enregistrements?|images?|photos?|photographies?|"
    r"scènes?)(?:\s++vidéo)?"
)
_FR_THE = r"(?:(?:la|le|les|cette|cet|ce|ces)\s++|l['’])(?:(?:courte?|brève|bref|petite?)\s++)?"
_FR_SEE = (
    r"(?:on\s++(?:voit|aperçoit|observe|distingue|peut\s++(?:voir|apercevoir|observer))|nous\s++(?:voyons|observons|"
    r"pouvons\s++(?:voir|observer))|vous\s++(?:voyez|pouvez\s++voir))\b"
)
_FR_THAT = r"(?:\s++qu(?:e\b|['’]))?+"
_FR_ARTICLE = r"(?:une?|des|deux|trois|plusieurs|il\s++y\s++a)"
_FR = (
    rf"{_FR_THE}{_FR_PICTURE}\s++(?:nous\s++)?(?:(?:montre|présente|dépeint|illustre|représente|capture|affiche|"
    rf"contient)(?:nt)?|met(?:tent)?\s++en\s++scène|(?:commence|débute)\s++(?:par|avec)|s['’]ouvre\s++sur)\b{_FR_THAT}",
    rf"(?:dans|sur)\s++{_FR_THE}{_FR_PICTURE}(?:\s*+,?\s*+{_FR_SEE}{_FR_THAT}|\s*+,|\s++(?={_FR_ARTICLE}\b))",
    rf"{_FR_SEE}{_FR_THAT}",
)
_FR_NOT = (
    r"(?:,|(?:comment|comme|si|ce|où|qui|quoi|lui|leur|se|de|du|à|en|par|pour|dans|sur|aussi|également|clairement|"
    r"ici|bien|donc|montrer)\b)"
)
_FR_STAYS = (
    rf"{_FR_THE}(?:vidéo|clip|séquence|extrait)(?:\s++vidéo)?\s++(?:commence|débute|se\s++(?:concentre|termine)|parle)\b",
    r"(?:c['’]est|il\s++s['’]agit\s++d['’])\s*+une\s++(?:courte\s++)?vidéo\b",
)

_ES_PICTURE = (
    r"(?:v[ií]deos?|v[ií]deoclips?|clips?|grabación|imagen|imágenes|fotos?|fotografías?|escenas?|secuencias?|"
    r"metraje)(?:\s++(?:cort|breve)[oa]?)?"
)
_ES_THE = r"(?:el|la|los|las|est[ea]|est[oa]s)\s++(?:(?:breve|cort[oa]|pequeñ[oa])\s++)?"
_ES_A = r"(?:\s++que\b|\s++a(?=\s++(?:un[oa]?s?|dos|tres|cuatro|varios|varias|el|la|los|las|algun[oa]s|much[oa]s)\b))?+"
_ES_SEE = (
    r"(?:(?:se|nos)\s++(?:ven?|muestran?|observan?|aprecian?|pueden?\s++(?:ver|observar|apreciar))|vemos|observamos|"
    r"podemos\s++(?:ver|observar|apreciar))\b"
)
_ES_ARTICLE = r"(?:un|una|unos|unas|dos|tres|varios|varias|hay)"
_ES = (
    rf"{_ES_THE}{_ES_PICTURE}\s++(?:nos\s++)?(?:(?:muestra|presenta|representa|captura|capta|ilustra|retrata|contiene|"
    rf"exhibe|describe)n?|(?:comienza|empieza|inicia|abre)n?\s++con)\b{_ES_A}",
    rf"en\s++{_ES_THE}{_ES_PICTURE}(?:\s*+,?\s*+(?:{_ES_SEE}|aparecen?\b){_ES_A}|\s*+,|\s++(?={_ES_ARTICLE}\b))",
    rf"{_ES_SEE}{_ES_A}",
)
_ES_NOT = (
    r"(?:,|(?:cómo|como|al|cuando|cuándo|donde|dónde|quien|quién|qué|lo|le|les|se|de|del|en|con|por|a|para|si|"
    r"también|claramente|aquí)\b)"
)
_ES_STAYS = (
    rf"{_ES_THE}(?:v[ií]deo|clip|grabación|secuencia)\s++(?:comienza|empieza|termina|inicia|trata|se\s++centra)\b",
    r"(?:es|se\s++trata\s++de)\s++un\s++(?:breve\s++)?v[ií]deo\b",
)

_PT_PICTURE = (
    r"(?:vídeos?|clipes?|gravaç(?:ão|ões)|imagem|imagens|fotos?|fotografias?|cenas?|sequências?|filmagens?|"
    r"filmagem|trecho)(?:\s++curt[oa])?"
)
_PT_SHORT = r"(?:(?:breve|curt[oa]|pequen[oa])\s++)?"
_PT_THE = rf"(?:o|a|os|as|est[ea]s?|ess[ea]s?)\s++{_PT_SHORT}"
_PT_SEE = (
    r"(?:vemos|observamos|podemos\s++(?:ver|observar)|vê(?:em)?-se|observa-se|mostra-se|pode-se\s++(?:ver|observar)|"
    r"é\s++possível\s++(?:ver|observar))\b"
)
_PT_THAT = r"(?:\s++que\b)?+"
_PT_ARTICLE = r"(?:um|uma|uns|umas|dois|duas|três|vários|várias|há)"
_PT = (
    rf"{_PT_THE}(?:{_PT_PICTURE}|video)\s++(?:(?:mostra|apresenta|exibe|retrata|captura|registra|ilustra|descreve)m?|"
    rf"cont[ée]m|(?:começa|inicia|abre)m?\s++com)\b{_PT_THAT}",
    rf"(?:n[oa]s?|nest[ea]s?|ness[ea]s?)\s++{_PT_SHORT}{_PT_PICTURE}"
    rf"(?:\s*+,?\s*+(?:{_PT_SEE}{_PT_THAT}|aparecem?\b)|\s*+,|\s++(?={_PT_ARTICLE}\b))",
    rf"{_PT_SEE}{_PT_THAT}",
)
_PT_NOT = (
    r"(?:,|(?:como|quando|onde|quem|lhe|se|de|do|da|em|no|na|com|por|para|também|claramente|aqui|ao|à|"
    r"mostrando)\b)"
)
_PT_STAYS = (
    rf"{_PT_THE}(?:v[ií]deo|clipe|sequência|gravação)\s++(?:começa|inicia|termina|trata|se\s++concentra)\b",
    r"(?:é|trata-se\s++de)\s++um\s++(?:breve\s++)?v[ií]deo\b",
)

_ZH_VIDEO = r"短?(?:视频|視頻|影片|短片|录像|片段)(?:片段|画面|畫面|内容|內容|剪辑)?"
_ZH_PICTURE = rf"(?:{_ZH_VIDEO}|画面|畫面|图像|圖像|图片|圖片|照片|镜头|鏡頭|场景|場景|影像)"
_ZH_THIS = r"(?:[这這该該本此整](?:[一]?[段个個部则條条张張幅组些支])?(?:简短的)?)?"
_ZH_SEE = r"(?:(?:可以|能够|能|可)(?:清楚地|清晰地)?(?:看到|看见|看見|观察到|見到|见到))"
_ZH_SHOWS = (
    r"(?:主要|首先|清晰地|清楚地|生动地|详细地?|还)?"
    r"(?:(?:展示|显示|顯示|呈现|呈現|展现|展現|描绘|描繪|捕捉|记录|記錄|描述|拍摄|拍攝|讲述|表现|介绍)(?:了|的是|出)"
    r"|(?:展示|显示|顯示|呈现|呈現|展现|展現)(?![器屏墙牆台厅廳柜架板区區的给在]))"
)
_ZH = (
    rf"{_ZH_THIS}{_ZH_PICTURE}{_ZH_SHOWS}",
    rf"在?{_ZH_THIS}(?:{_ZH_PICTURE}|[图圖])[中里裡](?![央间間心部的等外年])[，,]?(?:我们|你|您)?(?:{_ZH_SEE}|{_ZH_SHOWS}|出现了?|是)?",
    rf"(?:从|從){_ZH_THIS}{_ZH_PICTURE}[中里裡上]?[，,]?(?:我们|你|您)?{_ZH_SEE}",
    rf"(?:我们|你|您|观众)?{_ZH_SEE}",
)
_ZH_NOT = r"[，,：:]?(?:如何|怎样|怎么|为什么|其|到|在)"
_ZH_STAYS = (
    rf"{_ZH_THIS}{_ZH_VIDEO}(?:以|始于|一开始|开始|开头|结尾|的(?:开头|开始|结尾|主角|内容|主题)|聚焦|围绕)",
    r"(?:这|這)是一?(?:段|个|個|部)[^，。,\n]{0,40}(?:视频|視頻|影片|短片)(?![通会游播屏])",
)

_JA_PICTURE = r"(?:短い)?(?:動画|映像|ビデオクリップ|ビデオ|クリップ|画像|写真|シーン|場面|ショット)"
_JA_THIS = r"(?:この|その|本|こちらの|提供された|与えられた)"
_JA = (rf"{_JA_THIS}?{_JA_PICTURE}(?:(?:の中|内)?では|(?:の中|内)?で(?=[、,]))",)
_JA_NOT = r"[^。\n]{0,200}?(?:映っ|映し|映され|写っ|写し|写され|描かれ|描写|捉えられ|捉えて|示され|示して|紹介)"
_JA_STAYS = (
    rf"{_JA_THIS}{_JA_PICTURE}は",
    rf"{_JA_THIS}?{_JA_PICTURE}(?:(?:の中)?には|は、)",
)

_NAMES = (  # of a caption
    r"(?:(?:video|bild)?beschreibung|bildunterschrift|zusammenfassung|description|légende|résumé|descripción|leyenda|"
    r"resumen|subtítulo|descrição|legenda|resumo)"
)
_HERE = (
    r"(?:(?:gerne|natürlich|klar|sicher|bien\s++sûr|d['’]accord|claro|por\s++supuesto|com\s++certeza)\s*+[,.!]?\s++)?"
    r"(?:hier\s++(?:ist|sind)|dies\s++ist|das\s++ist|voici|voilà|aquí\s++(?:está|tienes?|va)|esta\s++es|aqui\s++está|"
    rf"esta\s++é|segue)\s++(?:[\w'’-]++\s++){{0,4}}?{_NAMES}(?:\s++[\w'’-]++){{0,6}}\s*+:",
    rf"[*_#]{{0,6}}\s?(?:[\w'’-]++\s++){{0,1}}?{_NAMES}(?:\s++(?:des|der|de|du|do|da|del)\s++[\w'’]++(?:\s++vidéo)?)?"
    r"\s*+(?::[*_]*|[*_]+:)",
    r"(?:(?:好的|当然(?:可以)?|可以|没问题)[，。！!,.]?)?(?:以下|下面|这里?)就?[是为][^。：:\n]{0,20}"
    r"(?:描述|说明|标题|字幕|总结|概述|摘要|文案)[：:]",
    r"[*_#]{0,6}\s?(?:视频|視頻|图片|画面)?(?:内容)?(?:描述|说明|标题|字幕|总结|概述|文案)\s*+(?:[：:][*_]*|[*_]+[：:])",
    r"(?:(?:はい|もちろん(?:です)?|承知(?:しました|いたしました)|わかりました)[、。！!]?)?(?:以下|こちら|これ)[はがに]"
    r"[^。：:\n]{0,30}(?:説明|キャプション|描写|要約|概要)文?(?:です|になります|を示します)?[。：:]",
    r"[*_#]{0,6}\s?(?:(?:この|その)?(?:動画|映像|画像)の)?(?:説明|キャプション|描写|要約|概要)文?\s*+(?:[：:][*_]*|[*_]+[：:])",
)

_LATIN = ((_DE, _DE_NOT), (_FR, _FR_NOT), (_ES, _ES_NOT), (_PT, _PT_NOT))
_CUT = re.compile(
    "|".join(
        [
            *(rf"(?>{'|'.join(forms)})(?!\s*+{wrong})" for forms, wrong in _LATIN),
            *(rf"(?>{'|'.join(forms)})(?!{wrong})" for forms, wrong in ((_ZH, _ZH_NOT), (_JA, _JA_NOT))),
            *_HERE,
        ]
    ),
    re.IGNORECASE,
)
_STAYS = (*_DE_STAYS, *_FR_STAYS, *_ES_STAYS, *_PT_STAYS, *_ZH_STAYS, *_JA_STAYS)
_OPENING = re.compile("|".join((*_DE, *_FR, *_ES, *_PT, *_ZH, *_JA, *_HERE, *_STAYS)), re.IGNORECASE)


def opened(text: str) -> bool:
    """Whether a caption opens by speaking of the video."""
    return _OPENING.match(text) is not None


def past_opening(text: str) -> int:
    """Where the text begins without such an opening; 0: there is none, or what follows is no sentence without it."""
    found = _CUT.match(text)
    return found.end() if found else 0
