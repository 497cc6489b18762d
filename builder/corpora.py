"""Each corpus as an importable `datasets` builder: `from shotscribe.builder.corpora import Folder`.

    builder = Folder(path="~/videos", cache_dir="cache", hash="1")
    builder.download_and_prepare()            # or num_proc=8
    clips = builder.as_dataset(split="train")
    stream = builder.as_streaming_dataset(split="train")

The keywords are the source's options, as in a recipe. A row is a clip: the columns of every source, then the corpus's
own; `media` names the file, which is not opened. What the source rejects is no row here: it is counted in one logged
warning (a recipe's run keeps it, with its reason). Pass a `hash` that changes when the folder or the code does: for the
same options and hash `datasets` takes what it has prepared before.

A thin module, because `datasets` replaces `open` and `os.path` in it.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import datasets
from datasets.builder import Key

from .contract.clip import SOURCE_COLUMNS, Values
from .contract.errors import ClipError
from .contract.source import Source, SourceNote, SourceReject
from .recipe import discovery
from .store.arrow import arrow_schema
from .store.clips import row_of, version_of

_log = logging.getLogger(__name__)


class CorpusConfig(datasets.BuilderConfig):  # type: ignore[misc]  # datasets has no types
    """The options of a source. Each source's own subclass, with its fields, is made when it is first asked for."""

    source_class: ClassVar[type[Source]]

    def __post_init__(self) -> None:
        super().__post_init__()
        source = self.source()  # raises pydantic's ValidationError
        for option in self._options():
            setattr(self, option, getattr(source, option))  # paths become absolute, whatever the workers' folder is

    def source(self) -> Source:
        fields = self.source_class.model_fields
        given = {option: getattr(self, option) for option in self._options()}
        return self.source_class.model_validate(
            {option: value for option, value in given.items() if value is not None or not fields[option].is_required()}
        )

    def create_config_id(self, config_kwargs: Values, custom_features: object = None) -> str:
        """Named by every option, defaults and absolute paths included."""
        return str(super().create_config_id({"source": self.source().model_dump_json()}, custom_features))

    @classmethod
    def _options(cls) -> list[str]:
        return [name for name in cls.source_class.model_fields if name != "use"]


class Corpus(datasets.GeneratorBasedBuilder):  # type: ignore[misc]  # datasets has no types
    """A source as one split, `train`, in the source's order. With num_proc each process makes a run of its rows."""

    def _info(self) -> object:
        columns = {**SOURCE_COLUMNS, **self.config.source().adds()}
        return datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(arrow_schema(columns)))

    def _split_generators(self, dl_manager: object) -> list[object]:
        work = Path(self._cache_downloaded_dir) / self.config_id
        whole = {"ranges": [(0, None)], "work": str(work)}
        return [datasets.SplitGenerator(name=datasets.Split.TRAIN, gen_kwargs=whole)]

    def _prepare_split(
        self,
        split_generator: Any,
        file_format: str = "arrow",
        num_proc: int | None = None,
        max_shard_size: int | str | None = None,
    ) -> None:
        if num_proc is not None and num_proc > 1:
            kwargs = split_generator.gen_kwargs
            kwargs["ranges"] = self._ranges(Path(kwargs["work"]), num_proc)
        super()._prepare_split(split_generator, file_format, num_proc, max_shard_size)

    def _ranges(self, work: Path, count: int) -> list[tuple[int, int]]:
        """The listing in `count` runs: it is counted once for this, without a look at the files."""
        total = sum(1 for _ in self.config.source().clips(work))
        edges = [total * index // count for index in range(count + 1)]
        return [run for run in itertools.pairwise(edges) if run[0] < run[1]] or [(0, 0)]

    def _generate_examples(self, ranges: list[tuple[int, int | None]], work: str) -> Iterator[tuple[object, Values]]:
        source = self.config.source()
        rejects: Counter[str] = Counter()
        for shard, (start, stop) in enumerate(ranges):
            for index, listed in enumerate(itertools.islice(source.clips(Path(work)), start, stop)):
                if isinstance(listed, SourceNote):
                    continue
                if isinstance(listed, SourceReject):
                    rejects[listed.rejection.reason] += 1
                    continue
                try:
                    row = row_of(source, listed)
                    if row["media_version"] is None:
                        row["media_version"] = version_of(row["media"], row["media_stat"], source.media_identity)
                    yield Key(shard, index), row
                except ClipError as error:
                    rejects[error.rejection.reason] += 1
        if rejects:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(rejects.items()))
            _log.warning(
                "%s: %d rows of the corpus are no clips and left out: %s", source.use, rejects.total(), reasons
            )


def _class_names() -> dict[str, str]:
    """Class name to `use` of every source: Panda70m is the source panda70m."""
    return {"".join(word.capitalize() for word in use.split("_")): use for use in discovery.names("source")}


def __dir__() -> list[str]:
    return sorted([*globals(), *_class_names()])


def __getattr__(name: str) -> type[object]:
    """`Folder` and `FolderConfig` of the source `folder`, made once; worker processes find them by the same names."""
    class_name = name.removesuffix("Config")
    use = _class_names().get(class_name)
    if use is None:
        known = ", ".join(sorted(_class_names()))
        raise AttributeError(f"module {__name__!r} has no corpus {name!r}; there are {known}")
    config = _config_class(discovery.source(use), name=f"{class_name}Config")
    body = {"__module__": __name__, "__doc__": config.source_class.__doc__, "BUILDER_CONFIG_CLASS": config}
    made = {config.__name__: config, class_name: type(class_name, (Corpus,), body)}
    globals().update(made)
    return made[name]


def _config_class(source_class: type[Source], *, name: str) -> type[CorpusConfig]:
    """A dataclass with the source's options; a required one is None until it is given."""
    options = [
        (option, Any, dataclasses.field(default=None if field.is_required() else field.get_default()))
        for option, field in source_class.model_fields.items()
        if option != "use"
    ]
    named = ("name", str, dataclasses.field(default=source_class.model_fields["use"].default))
    body = {"source_class": source_class, "__module__": __name__}
    return dataclasses.make_dataclass(name, [named, *options], bases=(CorpusConfig,), namespace=body, eq=False)
