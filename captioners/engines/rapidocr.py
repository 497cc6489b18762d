"""RapidOCR: the lines of text in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ...builder.contract.engine import Ask
from ._onnx import OnnxEngine


class RapidOcr(OnnxEngine):
    """PP-OCRv6 small of PaddleOCR (Apache-2.0, copyright Baidu and the PaddleOCR authors), from the package rapidocr
    (Apache-2.0): finds lines of text, and reads 50 languages. Pictures are read at the size that they come in, upright;
    lines that it is less than half sure of are left out.
    """

    runtime: ClassVar[str] = "_rapidocr_engine"
    answers: ClassVar[frozenset[Ask]] = frozenset({"read_text"})
    package: ClassVar[str] = "rapidocr"
    release: ClassVar[str] = "3.10.0"
    weights: ClassVar[Mapping[str, str]] = {
        "models/PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        "models/PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    }
    model: ClassVar[str] = "PP-OCRv6_small"
    license: ClassVar[str] = "Apache-2.0"

    use: Literal["rapidocr"] = "rapidocr"
