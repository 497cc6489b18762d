"""What of an address is published, and what names the file behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shotscribe.builder.contract.address import identity, published, without_secrets

SIGNED = [
    (
        "https://b.s3.amazonaws.com/a%20b.mp4?versionId=3&X-Amz-Algorithm=A&X-Amz-Signature=s&part=1",
        "?versionId=3&part=1",
    ),
    ("https://b.s3.amazonaws.com/a%20b.mp4?AWSAccessKeyId=K&Expires=1&Signature=s%3D", ""),
    ("https://storage.googleapis.com/a%20b.mp4?X-Goog-Algorithm=A&X-Goog-Signature=s&x=1", "?x=1"),
    ("https://d.cloudfront.net/a%20b.mp4?Expires=1&Signature=x&Key-Pair-Id=K", ""),
    ("https://acc.blob.core.windows.net/a%20b.mp4?sv=1&se=2&sp=r&sig=abc&snapshot=4#t=1", "?snapshot=4#t=1"),
    ("https://h.akamaized.net/a%20b.mp4?hdnts=exp=1~hmac=2", ""),
    ("https://b.cos.myqcloud.com/a%20b.mp4?q-sign-algorithm=sha1&q-ak=K&q-key-time=1&q-signature=2", ""),
    ("https://user:pa%40ss@host:8443/a%20b.mp4?x=1", "?x=1"),
    ("https://user@host/a%20b.mp4", ""),
    ("https://host/a%20b.mp4?X%2DAmz%2DSignature=s", ""),
]
TOKENS = [
    ("https://host/get?token=1&id=3", "https://host/get?id=3"),
    ("https://host/get?id=3;access_token=1", "https://host/get?id=3"),
    ("https://host/get?api-key=1#accessToken=2", "https://host/get"),
    ("https://host/get?key=AIzaSyA", "https://host/get"),
    ("https://host/get?sig=1", "https://host/get"),
]
PLAIN = [
    "https://host/a.mp4",
    "http://host:80/a;b=1/c?x=1&&y=@2#t=10,20",
    "https://host/get?key=video1&Expires=never",
    "https://host?mail=a@b",
    "https://youtube.com/watch?v=a&t=1",
]


@pytest.mark.parametrize(("address", "rest"), SIGNED)
def test_signatures_are_no_part_of_what_names_a_file(address: str, rest: str) -> None:
    shown = published(address)
    assert shown.endswith(f"/a%20b.mp4{rest}")
    assert "@" not in shown
    assert identity(address) == shown


@pytest.mark.parametrize(("address", "shown"), TOKENS)
def test_tokens_are_private_but_may_say_which_file_is_meant(address: str, shown: str) -> None:
    assert published(address) == shown
    assert identity(address) == address


@pytest.mark.parametrize("address", PLAIN)
def test_an_address_without_secrets_stays_as_it_is(address: str) -> None:
    assert published(address) == identity(address) == without_secrets(address) == address


def test_in_a_text() -> None:
    text = 'see https://me:pw@host/a?sig=1 and s3://key:secret@bucket/b, "ftp://a:b@c/"; not me:pw@host'
    assert without_secrets(text) == 'see https://host/a and s3://bucket/b, "ftp://c/"; not me:pw@host'
    assert without_secrets("http://[::1 http://a:pass/word@host/") == "http://... http://..."


@given(st.text(st.sampled_from("ab:/@?#&;=%[]1 \n.") | st.characters(), max_size=60))
def test_any_text_is_read(text: str) -> None:
    assert without_secrets(text) == text or "://" in text
    assert published(published("http://" + text)) == published("http://" + text)
