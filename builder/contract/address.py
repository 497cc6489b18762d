"""What of an address may be published: not what gives access, a signature, a token, a password.

Two kinds of secrets are told apart. A *signature* is a pass for an object that the rest of the address names; it is
made anew every few days, so addresses that differ by it alone, or by user and password, are one file. A *token* is
known by its name only and might as well say which file is meant: it is not published, but addresses that differ by
it are different files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote_plus, urlsplit

_SIGNING = ("xamz", "xgoog", "xoss", "xcos", "xobs", "xtos", "qsign", "qak", "qkeytime", "qheaderlist", "qurlparamlist")
"""How the names of signing parameters begin, of AWS, Google, Alibaba, Tencent, Huawei and Volcano."""
_SIGNED: Sequence[tuple[str, str]] = (
    ("signature", "signature expires policy keypairid hashalgorithm awsaccesskeyid googleaccessid ossaccesskeyid"),
    ("sig sv", "sig sv ss srt sp se st spr sip sr si skoid sktid skt ske sks skv saoid suoid scid sdd"),
    ("hdnts", "hdnts"),
    ("hdnea", "hdnea"),
    ("qsignature", "qsignature"),
)
"""Parameters that make a signature where they stand together, and all that belong to one: S3's older scheme, CloudFront
and their like; Azure; Akamai; Tencent."""
_TOKENS = frozenset(["auth", "authorization", "pwd", "pass", "sid", "jwt", "hmac", "sig"])
_TOKEN_ENDS = (
    *("token", "secret", "password", "passwd", "signature", "credential", "credentials", "sessionid", "authorization"),
    *("apikey", "accesskey", "accesskeyid", "authkey", "subscriptionkey", "privatekey", "secretkey"),
)
"""Names, and ends of names, of what else gives access; `key` alone is as often an object's name as a secret."""
_GOOGLE_KEY = "AIza"
_IsSecret = Callable[[str, str, frozenset[str]], bool]  # of a parameter's name, its value, and all names
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://[^\s\"'<>`]+")


def published(address: str) -> str:
    """An address without user, password, signature and token; one that has none of them as it stands."""
    return _without(address, lambda name, value, others: _signs(name, others) or _gives_access(name, value))


def identity(address: str) -> str:
    """What names the file behind an address: the same for every signature."""
    return _without(address, lambda name, value, others: _signs(name, others))


def without_secrets(text: str) -> str:
    """A text whose addresses are as they may be published."""
    return _ADDRESS.sub(lambda match: published(match[0]), text) if "://" in text else text


def _without(address: str, is_secret: _IsSecret) -> str:
    scheme, mark, rest = address.partition("://")
    try:
        _ = urlsplit(address).port
    except ValueError:  # malformed: refused where it is used, and who knows what it holds
        return f"{scheme}{mark}..."
    rest, hash_, fragment = rest.partition("#")
    rest, question, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    shown = scheme + mark + host.rpartition("@")[2] + slash + path
    for sign, pairs in ((question, query), (hash_, fragment)):
        kept = _kept(pairs, is_secret)
        shown += sign + kept if kept or not pairs else ""
    return shown


def _kept(query: str, is_secret: _IsSecret) -> str:
    """A query without its secret parameters."""
    pieces = [(separator, *_pair(text)) for separator, text in re.findall(r"(^|[&;])([^&;]*)", query)]
    names = frozenset(name for _, _, name, _ in pieces)
    kept = [(separator, text) for separator, text, name, value in pieces if not is_secret(name, value, names)]
    if len(kept) == len(pieces):
        return query
    return "".join(separator + text for separator, text in kept).lstrip("&;")


def _pair(text: str) -> tuple[str, str, str]:
    """A parameter as it stands; its name in small letters without marks, as `X-Amz-Date` and `x_amz_date` are one."""
    name, _, value = text.partition("=")
    return text, "".join(filter(str.isalnum, unquote_plus(name).lower())), value


def _signs(name: str, others: frozenset[str]) -> bool:
    if name.startswith(_SIGNING):
        return True
    return any(name in family.split() and others.issuperset(marks.split()) for marks, family in _SIGNED)


def _gives_access(name: str, value: str) -> bool:
    return name in _TOKENS or name.endswith(_TOKEN_ENDS) or (name == "key" and value.startswith(_GOOGLE_KEY))
