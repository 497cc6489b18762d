"""What things are known by: one spelling of JSON, one hash of a text, one of a picture."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from .frames import Images

Json = dict[str, Any]
"""A JSON object."""


def pixel_hash(pixels: Images) -> str:
    """Names an image by its content: 32 hex digits of its shape and pixels."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def text_hash(text: str) -> str:
    """Names a text by its content: 32 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def json_hash(value: object) -> str:
    """Names a JSON value by its content: 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """One spelling of a JSON value: sorted keys, no spaces, real UTF-8, no NaN (raises ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
