"""`sample` draws by clip and seed alone, so many of all, of each value, or evenly: what comes or goes moves little."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console
from shotscribe.builder.build import build
from shotscribe.builder.contract.columns import read_by, required
from shotscribe.builder.contract.errors import Reason, RecipeError
from shotscribe.builder.progress import Progress
from shotscribe.builder.recipe.plan import make_plan
from shotscribe.builder.recipe.recipe import load
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.filters.sample import Sample, concepts_of, drawn

Clips = dict[str, str | None]
"""A value of the column `kind` by clip."""


def table(clips: Clips, *, chunk: int = 3) -> pa.Table:
    rows = list(clips.items())
    parts = [rows[at : at + chunk] for at in range(0, len(rows), chunk)]
    names, kinds = zip(*rows, strict=True) if rows else ((), ())
    whole = pa.table({"clip_id": pa.array(names, pa.string()), "kind": pa.array(kinds, pa.string())})
    return pa.concat_tables([whole.slice(0, 0), *(whole.slice(at * chunk, len(part)) for at, part in enumerate(parts))])


def kept(clips: Clips, **options: Any) -> set[str]:
    found = list(Sample(**options).settle(table(clips)))
    assert all(rejection.reason is Reason.NOT_SAMPLED for _, rejection in found)
    assert len(dict(found)) == len(found)
    names = list(clips)
    return set(names) - {names[at] for at, _ in found}


def sizes(clips: Clips, names: Iterable[str]) -> Counter[str | None]:
    return Counter(clips[name] for name in names)


kinds = st.none() | st.sampled_from(["a", "b", "c"])
corpora = st.dictionaries(st.text("xyz0", min_size=1, max_size=4), kinds, max_size=30)
ways = st.sampled_from([{}, {"per": "kind"}, {"balance": "kind"}])
counts = st.integers(1, 12)


@given(clips=corpora, rows=counts, way=ways, seed=st.integers(0, 3), data=st.data())
def test_the_order_of_clips_is_of_no_account(
    clips: Clips, rows: int, way: dict[str, str], seed: int, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(clips.items()))))
    assert kept(clips, rows=rows, seed=seed, **way) == kept(shuffled, rows=rows, seed=seed, **way)


@given(clips=corpora, rows=counts, seed=st.integers(0, 3))
def test_so_many_in_all_and_of_each_value(clips: Clips, rows: int, seed: int) -> None:
    assert len(kept(clips, rows=rows, seed=seed)) == min(rows, len(clips))
    there = sizes(clips, clips)
    of_each = sizes(clips, kept(clips, rows=rows, per="kind", seed=seed))
    assert of_each == {kind: min(rows, count) for kind, count in there.items()}


@given(clips=corpora, rows=counts, seed=st.integers(0, 3))
def test_balanced_is_as_many_of_each_as_can_be(clips: Clips, rows: int, seed: int) -> None:
    there = sizes(clips, clips)
    of_each = sizes(clips, kept(clips, balance="kind", seed=seed))
    assert of_each == dict.fromkeys(there, min(there.values(), default=0))
    of_each = sizes(clips, kept(clips, balance="kind", rows=rows, seed=seed))
    assert of_each.total() == min(rows, len(clips))
    most = max(of_each.values(), default=0)
    assert all(of_each[kind] >= min(count, most - 1) for kind, count in there.items())


@given(clips=corpora, rows=counts, way=ways, new=st.text("n", min_size=1, max_size=3), seed=st.integers(0, 3))
def test_a_clip_that_comes_moves_one_other_at_most(
    clips: Clips, rows: int, way: dict[str, str], new: str, seed: int
) -> None:
    """Of a value that is there already: a new value takes its share of all when they are balanced."""
    for kind in {*clips.values()} or {None}:
        before, after = (
            kept(clips, rows=rows, seed=seed, **way),
            kept({**clips, new: kind}, rows=rows, seed=seed, **way),
        )
        assert len(before - after) <= 1
        assert len(after - before - {new}) <= (1 if way.get("balance") else 0)


def test_another_seed_draws_others_and_one_draws_the_same_everywhere() -> None:
    clips: Clips = {f"clip-{at}": None for at in range(1000)}
    choices = [kept(clips, rows=100, seed=seed) for seed in range(5)]
    shares = [len(choices[one] & choices[other]) for one in range(5) for other in range(one)]
    assert max(shares) < 25  # 10 are to be expected
    assert sorted(kept({f"clip-{at}": None for at in range(10)}, rows=3, seed=7)) == ["clip-1", "clip-6", "clip-8"]


def test_a_draw_is_fair() -> None:
    hits = Counter[str]()
    clips: Clips = {f"clip-{at}": None for at in range(20)}
    for seed in range(1000):
        hits.update(kept(clips, rows=5, seed=seed))
    assert min(hits.values()) > 200  # 250 are to be expected, with a deviation of 14
    assert max(hits.values()) < 300


@pytest.mark.parametrize(
    ("options", "detail", "option"),
    [
        ({"rows": 2}, "seed 0 draws 2 of the 6 clips: rows 2", "rows"),
        ({"rows": 1, "per": "kind"}, "seed 0 draws 1 of the 3 clips with kind a: rows 1", "rows"),
        ({"rows": 1, "per": "kind", "seed": 9}, "seed 9 draws 1 of the 2 clips with kind missing: rows 1", "rows"),
        ({"balance": "kind"}, "seed 0 draws 1 of the 3 clips with kind a: balance", "balance"),
        ({"balance": "kind", "rows": 5}, "seed 0 draws 2 of the 3 clips with kind a: rows 5", "rows"),
    ],
)
def test_the_detail_says_of_how_many(options: dict[str, Any], detail: str, option: str) -> None:
    clips: Clips = {"1": "a", "2": "a", "3": "b", "4": "a", "5": None, "6": None}
    found = [(rejection.detail, rejection.option) for _, rejection in Sample(**options).settle(table(clips))]
    assert (detail, option) in found


def test_groups_of_lists_fields_and_what_is_no_number() -> None:
    column = pa.array([["pan_left"], ["pan_left", "zoom_in"], ["pan_left"], [], None, None])
    clips = pa.table({"clip_id": list("abcdef"), "labels": column})
    left = {at for at, _ in Sample(rows=1, per="labels").settle(clips)}
    assert len(left) == 2
    assert left < {0, 2, 4, 5}
    rates = pa.table({"clip_id": list("abcd"), "shot": [{"fps": fps} for fps in (24.0, None, 24.0, float("nan"))]})
    left = {at for at, _ in Sample(rows=1, per="shot.fps").settle(rates)}
    assert len(left & {0, 2}) == len(left & {1, 3}) == 1


def vectors_of(rows: Sequence[Sequence[float] | None]) -> pa.Table:
    ids = [f"clip-{at}" for at in range(len(rows))]
    return pa.table({"clip_id": ids, "vector": pa.array(rows, pa.list_(pa.float32()))})


def crowds(*counts: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors in so many directions of 8, this many in each, in no order; and which direction each has."""
    rng = np.random.default_rng(seed)
    axis_of = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    noise = 0.05 * rng.standard_normal((len(axis_of), 8))
    return ((np.eye(8)[axis_of] + noise) * rng.uniform(0.1, 9, (len(axis_of), 1))).astype(np.float32), axis_of


def test_concepts_are_sampled_evenly_whatever_the_order() -> None:
    vectors, _ = crowds(200, 20, 10, 4, seed=0)
    clips, step = vectors_of(vectors.tolist()), Sample(rows=32, by="vector", concepts=6)
    concept = concepts_of(vectors, drawn(clips.column("clip_id"), seed=0), concepts=6, seed=0)
    found = dict(step.settle(clips))
    there, of_each = np.bincount(concept), np.bincount(np.delete(concept, list(found)), minlength=6)
    assert of_each.sum() == 32
    assert all(of_each >= np.minimum(there, of_each.max() - 1))
    at = min(found)
    said = f"seed 0 draws {of_each[concept[at]]} of the {there[concept[at]]} clips of concept {concept[at]}: rows 32"
    assert found[at].detail == said
    order = np.random.default_rng(0).permutation(len(vectors))
    assert {int(order[at]) for at, _ in step.settle(clips.take(order))} == set(found)
    assert dict(step.settle(clips)) == found


def test_rare_concepts_are_found() -> None:
    vectors, axis_of = crowds(400, 20, 10, 4, seed=1)
    alone = 0
    for seed in range(4):
        draws = drawn(pa.chunked_array([[str(at) for at in range(len(vectors))]]), seed=seed)
        concept = concepts_of(vectors, draws, concepts=6, seed=seed)
        alone += sum(not set(concept[axis_of == axis]) & set(concept[axis_of != axis]) for axis in (1, 2, 3))
    assert alone >= 11  # of 12; 6 where k-means starts from rows at random


@pytest.mark.parametrize("rows", [[], [None], [None, [0.0, 0.0], None], [[1.0, 0.0]] * 3, [[1.0, 0.0], None, [0.0, 1]]])
def test_few_vectors_or_none(rows: list[Any]) -> None:
    clips = vectors_of(rows)
    assert len(list(Sample(rows=1, by="vector", concepts=5).settle(clips))) == max(0, len(rows) - 1)
    assert list(Sample(rows=9, by="vector", concepts=5).settle(clips)) == []


def test_clips_without_a_vector_are_a_group_of_their_own() -> None:
    vectors = np.array([[0, 0], [0, 0], *([[1, 0]] * 5), *([[0, 1]] * 5)], np.float32)
    assert set(concepts_of(vectors, np.arange(12, dtype=np.uint64), concepts=2, seed=0)[:2]) == {2}
    clips = vectors_of([None, None, *vectors[2:].tolist()])
    found = dict(Sample(rows=3, by="vector", concepts=2).settle(clips))
    left = set(range(12)) - set(found)
    assert "seed 0 draws 1 of the 2 clips without a vector: rows 3" in {found.get(0, found.get(1)).detail}
    assert [len(left & group) for group in ({0, 1}, {*range(2, 7)}, {*range(7, 12)})] == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "option rows is missing"),
        ({"per": "a"}, "option rows is missing"),
        ({"rows": 0}, "rows"),
        ({"rows": 1, "seed": -1}, "seed"),
        ({"rows": 1, "per": "a", "balance": "b"}, "per and balance are two ways to choose"),
        ({"rows": 1, "balance": "a", "by": "b", "concepts": 2}, "balance and by are two ways to choose"),
        ({"rows": 1, "by": "a"}, "by and concepts go together"),
        ({"rows": 1, "concepts": 3}, "by and concepts go together"),
        ({"by": "a", "concepts": 3}, "option rows is missing"),
    ],
)
def test_options_that_say_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Sample(**options)


def test_what_it_needs() -> None:
    assert read_by(Sample(rows=1)) == required(Sample(rows=1)) == Sample(rows=1).requires() == {}
    assert list(required(Sample(rows=1, per="codec"))) == list(required(Sample(balance="codec"))) == ["codec"]
    by = Sample(rows=1, by="keyframe_embedding", concepts=9)
    assert (required(by), by.requires()) == ({"keyframe_embedding": ["float32"]}, {"faiss": "cpu"})
    assert Sample(rows=1).identity() == Sample(rows=9, seed=3, per="codec").identity()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("rows: 9, per: truth_knd", 'reads the column "truth_knd", which is not there; did you mean "truth_kind"?'),
        ("rows: 9, per: media", 'per: there is no column "media"'),
        ("balance: structure", "balance: cannot group by struct of subjects, "),
        ("balance: structure.shot_typ", 'balance: "structure" has no field "shot_typ"; did you mean "shot_type"?'),
        ("rows: 9, per: keyframe_embedding", "per: cannot group by list of float32; name a column of texts, "),
        ("rows: 9, by: codec, concepts: 9", 'reads the column "codec" as list of float32; every clip has it as string'),
    ],
)
def test_a_check_says_what_does_not_fit(tmp_path: Path, step: str, said: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"""\
name: a
version: "1"
sources: [{{use: demo, count: 2}}]
engines: {{vlm: {{use: openai, model: any, key_env: null}}}}
steps:
  - {{use: structural, engine: vlm}}
  - {{use: keyframes}}
  - {{use: sample, {step}}}
""")
    with pytest.raises(RecipeError) as refused:
        make_plan(load(path))
    assert str(refused.value).startswith(f"{path}:8: steps[2] (sample): {said}")


def test_a_build_keeps_the_sample_and_another_seed_opens_no_clip(
    tmp_path: Path,
    encode: Callable[..., Path],
    moving: Callable[..., Iterable[np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode(tmp_path / "a.mp4", moving(8, seed=1), fps=15)
    text = (tmp_path / "a.mp4").read_bytes()
    for name in "bcdefgh":
        (tmp_path / f"{name}.mp4").write_bytes(text)
    rows = [f"{name}.mp4,{'street' if name < 'f' else 'beach'},text" for name in "abcdefgh"]
    (tmp_path / "t.csv").write_text("path,meta.kind,text\n" + "\n".join(rows) + "\n")
    recipe = """\
name: some
version: "1"
sources: [{{use: table, path: t.csv, license: cc0-1.0}}]
steps:
  - {{use: sample, balance: meta.kind}}
  - {{use: sample, rows: 4, seed: {seed}}}
publish: {{media: reference}}
run: {{workers: 1, piece_rows: 3, max_reject_rate: 0}}
"""
    path, out = tmp_path / "x.yaml", tmp_path / "out"

    def built(seed: int) -> list[str]:
        path.write_text(recipe.format(seed=seed))
        build(path, out=out, progress=Progress(Console(file=io.StringIO())))
        rejects = pq.read_table(out / "rejects.parquet").to_pylist()
        assert Counter((one["step"], one["reason"], one["option"]) for one in rejects) == {
            ("sample", "not_sampled", "balance"): 2,
            ("sample-2", "not_sampled", "rows"): 2,
        }
        assert {one["source_id"][0] for one in rejects if one["step"] == "sample"} < set("abcde")
        return sorted(one[0] for one in pq.read_table(out / "metadata").column("source_id").to_pylist())

    first = built(0)
    monkeypatch.setattr(LocalExecutor, "submit", lambda *_, **__: pytest.fail("a clip was opened again"))
    assert len({tuple(built(seed)) for seed in range(5)}) > 1
    assert built(0) == first
