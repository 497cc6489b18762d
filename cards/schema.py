"""The YAML at the head of a dataset card: what the Hub shows and filters by, and one schema for every reader.

The `datasets` reader of WebDataset tars guesses its schema from the first five samples of one tar; a column that is
absent there is an error or is lost. `dataset_info` takes the guessing away; what a `.json` member holds is spelled as a
struct, as datasets before 4.7 have no type for JSON and refuse the whole card. There is one configuration, the tars: a
repository has one reader, that of its first configuration (datasets 5.2 opened the parquet of a second one as a tar).
The tables beside them are read as parquet, where the schema is the file's own. The form of both blocks:
https://huggingface.co/docs/hub/datasets-manual-configuration, https://github.com/huggingface/hub-docs (datasetcard.md).
"""

from __future__ import annotations

import re

from .record import BuildRecord, Json
from .text import one_line

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)

_ATTRIBUTION = (
    "2.0 2.5 3.0 4.0 sa-3.0 sa-4.0 nc-2.0 nc-3.0 nc-4.0 nd-4.0 nc-nd-3.0 nc-nd-4.0 nc-sa-2.0 nc-sa-3.0 nc-sa-4.0"
)
_OTHERS = (
    "cc0-1.0 cc c-uda cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 etalab-2.0 gfdl odbl odc-by pddl "
    "openrail apache-2.0 mit bsd bsd-2-clause bsd-3-clause gpl gpl-2.0 gpl-3.0 agpl-3.0 afl-3.0 artistic-2.0 unknown"
)
HUB_LICENSES = frozenset([*(f"cc-by-{variant}" for variant in _ATTRIBUTION.split()), *_OTHERS.split()])
"""Licence ids of media and data that the Hub knows (https://huggingface.co/docs/hub/repositories-licenses). It refuses
a card with an id that it does not know, so any other licence goes in as `other`, with a name."""


def front_matter(record: BuildRecord) -> Json:
    """The card's metadata, ready to be dumped as YAML."""
    captioned = record["caption"] is not None
    written = captioned and record["caption"] != "source_caption"
    return {
        "pretty_name": one_line(record["name"]),
        **_license(record),
        **({"task_categories": ["text-to-video", "video-text-to-text"]} if captioned else {}),
        "annotations_creators": ["machine-generated" if written else "found" if captioned else "no-annotation"],
        "size_categories": [next((label for limit, label in _SIZES if record["rows"] < limit), "n>1T")],
        "tags": ["video", "webdataset", "shotscribe"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.tar"}]}],
        "dataset_info": {"config_name": "default", "features": _shard_features(record)},
    }


def _license(record: BuildRecord) -> dict[str, str]:
    names = sorted(record["licenses"])
    if len(names) == 1 and names[0] in HUB_LICENSES:
        return {"license": names[0]}
    slug = re.sub(r"[^a-z0-9.]+", "-", "-and-".join(names).lower()).strip("-.")
    return {"license": "other", "license_name": slug[:96] or "unnamed"}


def _shard_features(record: BuildRecord) -> list[Json]:
    """What one sample of a tar is. Videos stay bytes until asked: decoding them needs torchcodec, reading does not."""
    video = [{"name": "mp4", "dtype": {"video": {"decode": False}}}] if record["media"] == "embed" else []
    text = [{"name": "txt", "dtype": "string"}] if record["caption"] is not None else []
    rest = {"json": record["columns"], "__key__": "string", "__url__": "string"}
    return [*video, *text, *features(rest)]


def features(columns: Json) -> list[Json]:
    """Columns as `dataset_info.features` spells them; a JSON document as text is a text."""
    return [{"name": name, **_feature(kind)} for name, kind in columns.items()]


def _feature(kind: object) -> Json:
    if isinstance(kind, list):
        inner = _feature(kind[0])
        return {"list": inner.get("dtype", inner.get("struct", inner))}
    if isinstance(kind, dict):
        return {"struct": features(kind)}
    return {"dtype": "string" if kind == "json" else kind}
