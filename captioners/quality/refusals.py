"""Finds answers that decline or hedge instead of describing, in the seven languages that models answer in most. Only
the start of an answer counts: what people in a clip say, or a sign reads, stands within a sentence or in quotation
marks.
"""

from __future__ import annotations

import re

_CANNOT = r"(?:can'?t|cannot|can not|won'?t|will not|could not|couldn'?t)"
_UNABLE = r"(?:am|'m|are|'re) (?:unable|not able)"
_MEDIA = r"(?:image|video|frame|clip|picture|photo|file|footage)s?"
_SORRY = (  # alone
    r"(?:(?:i ?'m|i am) (?:so |very |really )?sorry|sorry|my apologies|很?抱歉|对不起|不好意思|"
    r"(?:大変)?申し訳(?:ございません|ありません)|すみません|(?:es )?tut mir (?:sehr )?leid|(?:je suis )?"
    r"(?:désolée?|navrée?)|lo siento(?: mucho)?|sinto muito|(?:me )?desculpe(?:-me)?)[.!。！]{0,3}$"
)
_DO = (
    r"(?:assist|help|provide|describe|identify|recogni[sz]e|process|access|analy[sz]e|fulfil|fulfill|comply|generate|"
    r"create|caption|complete|discuss|answer|engage|support|determine|tell|say|do this|do that|(?:see|view|watch) "
    rf"(?:the|an|any|a|your) {_MEDIA})"
)
_NOT = rf"(?:(?:really |simply |currently )?{_CANNOT}|{_UNABLE})"

_ENGLISH = (
    rf"(?:i|we) (?:really |simply |currently )?{_CANNOT} {_DO}\b",
    rf"(?:i|we) {_CANNOT}(?: do (?:that|this|it))?(?:[.!]|$)",
    rf"(?:i|we) ?{_UNABLE} to\b",
    r"(?:i(?: am|'m) )?unable to (?:process|determine|describe|view|access|provide|analy[sz]e|identify|generate"
    r"|load)\b",
    r"(?:this|the|your|that) (?:content|request|prompt|image|video|clip)s? (?:may |might |appears to )?(?:violates?|"
    r"goes against|go against|contravenes?)\b",
    r"i(?: am|'m) (?:just |only )?an? (?:[\w-]+ ){0,3}(?:ai|language model)\b",
    r"(?:could|can|would) you (?:please |kindly )?(?:provide|upload|share|attach|send|resend)\b",
    r"no (?:description|caption|information|content|details?) (?:is |was |are )?(?:available|provided|given"
    r"|possible)\b",
    rf"the {_MEDIA} (?:is|are|was|were|seems?|appears?) (?:to be )?too \w+ (?:for me )?to (?:describe|tell|determine|"
    r"identify|say|caption)\b",
    r"\[error\]|error(?::|$)|internal server error|\{.?error.?:|request (?:failed|timed out)",
    rf"(?:i|we) (?:do not|don't) (?:have (?:the ability|access|(?:enough|sufficient|any) (?:information|context|"
    rf"details))|(?:have|see) any {_MEDIA})\b",
    r"(?:i ?'m|i am|we ?'re|we are) (?:\w+ )?sorry,? but\b",
    rf"(?:i ?'m|i am|we ?'re|we are) (?:\w+ )?sorry[,.]? (?:i|we) ?{_NOT}",
    rf"i (?:must )?apologi[sz]e\b[^.!?]{{0,80}}{_NOT}",
    r"i must decline\b",
    r"i(?: am|'m) not (?:\w+ )?(?:sure|certain)\b",
    r"as an? (?:[\w-]+ ){0,2}(?:language model|(?:ai|artificial intelligence)(?: language)?"
    r"(?: model| assistant| system)?)\b[^.!?]{0,60}\b(?:i|my)\b",
    rf"(?:(?:it (?:seems|looks|appears)|i (?:see|notice|noticed)) (?:like |that )?)?"
    rf"(?:there (?:is|are|was|were) )?no {_MEDIA} "
    r"(?:(?:is|are|was|were|has been|have been) )?(?:provided|attached|uploaded|given|shared)\b",
    r"(?:it (?:seems|looks|appears) (?:like |that )?)?(?:you(?: have|'ve) not|you (?:haven't|didn't|did not)) "
    r"(?:\w+ )?(?:provide|attach|upload|share|include)(?:e?d)?\b",
    rf"please (?:provide|upload|share|attach)\b[^.!?]{{0,40}}\b{_MEDIA}\b",
    r"it(?: is|'s) (?:\w+ )?(?:difficult|hard|impossible|not possible|unclear)(?: for me)? (?:to "
    r"(?:tell|determine|say|describe|identify|provide|discern|know|see what)|what|whether)\b",
    r"there is (?:not enough|insufficient) (?:information|context|detail)\b",
    rf"without (?:(?:more|further|additional|any|the|seeing|access to) ){{1,2}}(?:{_MEDIA}|context|information|details)"
    r"\b[^.!?]{0,40}\b(?:i|it)\b",
    rf"the (?:{_MEDIA}) (?:you (?:provided|shared|uploaded) )?(?:is|are|was|were|seems? to be|appears? to be) (?:\w+ )?"
    r"(?:corrupted|not (?:available|accessible|provided|loading|displayed|visible|clear enough))\b",
)
_CHINESE = (
    r"(?:非常|很|十分|实在)?(?:抱歉|对不起|不好意思|遗憾)[^。！？]{0,30}(?:无法|不能|不可以|没法|没有办法|未能|没有(?:看到|收到))",
    r"我(?:暂时|目前|现在)?(?:无法|不能|没法|没有办法)[^。！？]{0,12}(?:查看|观看|看到|描述|提供|识别|访问|协助|帮助|"
    r"处理|分析|回答|生成|满足|完成|确定|判断|直接|播放)",
    r"作为(?:一个|一名|一款)?[^。！？]{0,10}(?:AI|人工智能|语言模型|助手)[^。！？]{0,20}我",
    r"(?:您|你)(?:好像|似乎)?(?:没有|未|并未|还没有?)(?:提供|上传|附上|发送)",
    r"请(?:您|你)?(?:先)?(?:提供|上传|发送|分享)",
    r"(?:由于|因为)[^。！？]{0,40}(?:无法|不能)[^。！？]{0,12}(?:描述|提供|查看|识别|确定|判断)",
    r"(?:目前|暂时)?(?:无法|不能)(?:查看|描述|提供|识别|访问|确定|判断|观看|分析)",
    r"[^。！？\n]{0,40}(?:无能为力|(?:无法|不能)(?:为[您你])?(?:生成|提供|回答|给出|给到))",
    r"(?:图片|图像|视频|画面)(?:内容)?(?:无法|不能|未能)(?:显示|加载|识别|查看|播放)",
)
_JAPANESE = (
    r"(?:大変|誠に)?(?:申し訳(?:あり|ござい|ござ)?|すみません|すいません|恐れ入り|恐縮|残念ながら|ごめんなさい)[^。！？]{0,80}"
    r"(?:できません|できない|できかねます|しかねます|いたしかねます|ありません|おりません|ございません|不可能)",
    r"(?:私は|私には|わたしは)?[^。！？]{0,40}(?:説明|描写|表示|確認|視聴|閲覧|アクセス|提供|特定|分析|識別|お答え|お手伝い|見る)"
    r"(?:する)?(?:こと)?(?:は|が|を)?(?:できません|できかねます|いたしかねます)",
    r"[^。！？\n]{0,40}(?:控えさせて|差し控え|お[応答]え(?:することは?)?(?:でき|致しかね|いたしかね))",
    r"(?:私は)?(?:AI|人工知能|言語モデル)(?:アシスタント|モデル)?(?:なので|ですので|として|であり)",
    r"(?:画像|動画|映像|ビデオ)(?:ファイル)?が[^。！？]{0,20}(?:提供|添付|アップロード|共有)されて(?:いません|いない|おりません)",
    r"(?:画像|動画|映像|ビデオ)を[^。！？]{0,12}(?:提供|添付|アップロード|共有)して(?:ください|いただ)",
)
_GERMAN = (
    r"(?:es )?tut mir (?:sehr |wirklich )?leid\b[^.!?]{0,60}\b(?:nicht|kein\w{0,3}|unmöglich)\b",
    r"tut mir (?:sehr )?leid,? (?:aber )?(?:das|ich|dabei)\b",
    r"(?:leider|entschuldigung|entschuldige|entschuldigen sie|bedauerlicherweise|verzeihung)[,.:]? (?:aber )?(?:\w+ )"
    r"{0,3}(?:ich|mir|es|das)\b[^.!?]{0,60}\b(?:nicht|kein\w{0,3}|unmöglich)\b",
    r"ich (?:kann|darf|konnte|möchte|werde) [^.!?]{0,80}\b(?:nicht|kein\w{0,3})\b",
    r"ich (?:habe|sehe) (?:leider )?kein\w{0,3} (?:zugriff|zugang|möglichkeit|bild|video|informationen)",
    r"(?:das|dabei|damit|hierbei) (?:kann|darf) ich (?:ihnen |dir )?(?:leider )?nicht\b",
    r"ich bin (?:leider )?nicht (?:in der lage|sicher)\b",
    r"als (?:ein )?(?:ki|ai|sprachmodell|künstliche intelligenz|reines? \w+modell)\b",
    r"es (?:wurde|wurden|ist|sind) (?:leider )?kein\w{0,3} (?:bild|video|datei|aufnahme)\w{0,4}\b",
    r"es ist (?:leider )?(?:nicht möglich|unmöglich|schwer|schwierig)\b",
    r"bitte (?:laden|lade|stellen|stelle|geben|teilen|senden)\b[^.!?]{0,40}\b(?:bild|video|datei|clip)\w{0,4}\b",
)
_FRENCH = (
    r"(?:je suis (?:vraiment |sincèrement )?(?:désolée?|navrée?)|désolée?|navrée?|malheureusement|je "
    r"(?:m'excuse|regrette)|"
    r"toutes mes excuses)[,.]? (?:mais )?(?:je|il|cela|aucune?)\b[^.!?]{0,60}\b(?:pas|impossible|aucune?)\b",
    r"je ne (?:peux|puis|suis|vois|dispose|pourrai)s? (?:malheureusement )?(?:pas|aucune?)\b",
    r"désolée?,? (?:mais )?(?:cela|ceci|ce contenu)\b|impossible de (?:décrire|voir|identifier|déterminer|traiter)\b",
    r"je n'(?:ai|arrive) (?:malheureusement )?(?:pas|aucune?)\b",
    r"en tant qu(?:e |')(?:une? )?(?:ia\b|intelligence artificielle|modèle|assistante?)",
    r"aucune? (?:image|vidéo|photo|fichier) (?:n'|ne )",
    r"il (?:m'est|est|n'est) (?:malheureusement )?(?:impossible|difficile|pas possible)\b",
    r"(?:veuillez|merci de) (?:me )?(?:fournir|télécharger|partager|joindre|envoyer)\b",
)
_SPANISH = (
    r"(?:lo siento|lo lamento|lamento|disculp[ae]|perdón|perdona|desafortunadamente|lamentablemente|desgraciadamente|"
    r"mis disculpas)"
    r"[^.!?]{0,20}\bno (?:me )?(?:puedo|es posible|tengo|soy capaz|podré|se puede|veo)\b",
    r"(?:yo )?no puedo (?:ver|describir|ayudar|procesar|proporcionar|identificar|acceder|analizar|cumplir|generar|"
    r"asistir|determinar|ofrecer|visualizar|responder|decir)",
    r"no (?:tengo (?:acceso|la capacidad|suficiente)|soy capaz|estoy segur[oa]|me es posible|es posible|dispongo)\b",
    r"como (?:un |una )?(?:modelo de lenguaje|ia\b|inteligencia artificial|asistente)",
    r"no (?:se (?:ha |han )?(?:proporcion|adjunt|sub)\w{1,6}|hay ningun[ao]? (?:imagen|video|vídeo))\b",
    r"(?:es (?:difícil|imposible)) (?:determinar|decir|saber|describir)\b",
    r"por favor,? (?:proporcion|comparte|comparta|sub[ae]|adjunt)\w{0,5}\b",
)
_PORTUGUESE = (
    r"(?:(?:me )?desculpe|(?:eu )?sinto muito|(?:eu )?lamento|infelizmente|perdão|peço desculpas)[^.!?]{0,20}\bnão "
    r"(?:me )?(?:posso|consigo|é possível|tenho|sou capaz|poderei|vejo)\b",
    r"(?:eu )?não (?:posso|consigo) (?:ver|descrever|ajudar|processar|fornecer|identificar|acessar|aceder|analisar|"
    r"visualizar|atender|gerar|determinar|responder|dizer|assistir)",
    r"(?:eu )?não (?:tenho (?:acesso|a capacidade|informações)|sou capaz|tenho certeza|é possível)\b",
    r"como (?:um |uma )?(?:modelo de linguagem|ia\b|inteligência artificial|assistente)",
    r"(?:não (?:foi|foram) fornecid|nenhum[ao]? (?:imagem|vídeo))\w{0,3}\b",
    r"é (?:difícil|impossível) (?:determinar|dizer|saber|descrever)\b",
    r"por favor,? (?:forneç|compartilh|envi|anex)\w{0,5}\b",
)
_ALL = (_SORRY, *_ENGLISH, *_CHINESE, *_JAPANESE, *_GERMAN, *_FRENCH, *_SPANISH, *_PORTUGUESE)
_REFUSAL = re.compile(
    rf"(?:(?:unfortunately|sorry|apologies|my apologies|well|sure)[,.!]? (?:but )?)?(?:{'|'.join(_ALL)})", re.IGNORECASE
)


def refuses(text: str) -> bool:
    """Whether a text begins as a refusal does: "I'm sorry, but I can't", "As an AI, I", "No video was provided"."""
    return _REFUSAL.match(" ".join(text[:500].replace("’", "'").split()).lstrip("¡¿*_ ")) is not None
