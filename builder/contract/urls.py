"""Addresses that a corpus may point to: public http(s) ones. Nothing is looked up here."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from .errors import ClipError, Reason

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCAL_NAMES = ("localhost", "local", "internal")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_url(value: str) -> bool:
    """Whether a cell names an http(s) address rather than a file."""
    return re.match(r"https?://", value, re.IGNORECASE) is not None


def public_url(value: str, *, allow_private: bool = False) -> str:
    """An http(s) address as it stands, with user and password if it has them, or ClipError (refused).

    Names are not looked up: `fetch` does that.
    """
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:  # its message may hold a part of a password
        raise ClipError(Reason.REFUSED, "not a well-formed http(s) address") from None
    if parts.scheme not in ("http", "https"):
        raise ClipError(Reason.REFUSED, f"scheme {parts.scheme!r} is not http or https")
    if not host or port == 0 or "%" in host or re.search(r"[\x00-\x20\x7f\ud800-\udfff\\]", value):
        raise ClipError(Reason.REFUSED, "not a well-formed http(s) address")
    literal = _literal(host)
    if literal is not None:
        check_address(literal, allow_private=allow_private)
    elif not allow_private and host.rstrip(".").rsplit(".", 1)[-1] in _LOCAL_NAMES:
        raise ClipError(Reason.REFUSED, f"host {host} is not public")
    return value


def check_address(address: IPAddress, *, allow_private: bool) -> None:
    """Refuse an address that is not public. `allow_private` admits one's own machine and network, never link-local
    (169.254.169.254 hands out a cloud machine's credentials), multicast or unspecified. Raises ClipError (refused)."""
    inner = _embedded(address)
    never = inner.is_link_local or inner.is_multicast or inner.is_unspecified
    own = inner.is_private or inner.is_loopback
    if never or not (inner.is_global or (allow_private and own)):
        raise ClipError(Reason.REFUSED, f"address {address} is not public")


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _literal(host: str) -> IPAddress | None:
    """A host that is an address: also 127.1, 0x7f000001 and 2130706433, which the C library reads as one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeEncodeError):
        return None
