from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.output.generations import (
    close_generation,
    id_hashes,
    read_generations,
    write_generations,
)
from shotscribe.builder.output.layout import Generation, Layout, in_source_order, shuffled
from shotscribe.builder.output.tables import write_tables
from shotscribe.builder.store.outputs import output_of

MB = 1_000_000


def ids(count: int, *, first: int = 0) -> list[str]:
    return [f"clip-{at}" for at in range(first, first + count)]


def lay(names: list[str], *, size: float = MB, shard: int = 100 * MB, settled=(), members=()) -> Layout:
    hashes = id_hashes(names)
    return shuffled(hashes, np.full(len(hashes), float(size)), shard_bytes=shard, settled=settled, members=members)


def tars(names: list[str], layout: Layout) -> dict[str, list[str]]:
    return {tar.path: [names[row] for row in layout.order[tar.first : tar.last]] for tar in layout.tars}


@pytest.mark.parametrize(
    ("clips", "size", "expected"),
    [
        (1, 1, 1),
        (63, MB, 1),
        (64, MB // 10, 8),
        (255, MB // 10, 8),
        (256, 1, 16),
        (256, MB, 16),
        (20_000, MB, 200),  # exactly 200 shards of 100 MB: already a multiple of 8
        (20_001, MB, 208),
        (20_000, 5 * MB, 1000),
    ],
)
def test_how_many_tars_there_are(clips, size, expected):
    layout = lay(ids(clips), size=size)
    assert len(layout.tars) == expected
    assert [tar.path for tar in layout.tars] == [f"data/train-{at:05}-of-{expected:05}.tar" for at in range(expected)]
    assert [generation.tars for generation in layout.generations] == [expected]


def test_neighbours_of_the_corpus_are_none_in_a_tar():
    layout = lay(ids(20_000))
    steps = np.abs(np.diff(layout.order))
    assert np.median(steps) > 4000
    counts = [tar.last - tar.first for tar in layout.tars]
    assert max(counts) < 150
    assert min(counts) > 50


@pytest.mark.parametrize("change", ["first", "middle", "last", "new"])
def test_a_clip_that_comes_or_goes_touches_one_tar(change):
    names = ids(20_000)
    before = lay(names)
    after_names = {
        "first": names[1:],
        "middle": names[:777] + names[778:],
        "last": names[:-1],
        "new": [*names[:5], "a-new-one", *names[5:]],
    }[change]
    after = lay(after_names, settled=before.generations)
    old, new = tars(names, before), tars(after_names, after)
    assert old.keys() == new.keys()
    assert sum(old[path] != new[path] for path in old) == 1


def test_a_settled_number_stands_until_it_is_wrong_by_two():
    names = ids(40_000)
    before = lay(names[:20_000])
    assert lay(names[:10_001], settled=before.generations).generations[0].tars == 200
    assert lay(names[:39_900], settled=before.generations).generations[0].tars == 200
    assert lay(names[:9000], settled=before.generations).generations[0].tars == 96
    assert lay(names, shard=50 * MB, settled=before.generations).generations[0].tars == 800


def test_what_the_tars_turned_out_to_be_counts_for_more_than_what_was_thought():
    settled = [Generation(200, 100 * MB, "", clip_bytes=4.0 * MB)]
    assert lay(ids(20_000), settled=settled).generations[0].tars == 800


def test_the_very_same_clips_stay_where_they_are_whatever_their_size_turned_out_to_be():
    before = lay(ids(20_000))
    measured = [replace(before.generations[0], clip_bytes=40.0 * MB)]
    assert lay(ids(20_000), settled=measured).tars == before.tars
    assert len(lay(ids(20_001), settled=measured).tars) == 2000


def test_a_pushed_generation_keeps_its_tars_and_later_clips_form_the_next():
    names = ids(20_500)
    first = lay(names[:20_000])
    closed = [Generation(200, 100 * MB, "", closed=True)]
    members = [np.sort(id_hashes(names[:20_000]))]
    second = lay(names, settled=closed, members=members)
    old, new = tars(names[:20_000], first), tars(names, second)
    assert {path: new[path] for path in old} == old
    assert [path for path in new if path not in old] == [f"data/train-g2-{at:05}-of-00016.tar" for at in range(16)]
    assert [generation.closed for generation in second.generations] == [True, False]
    for measured in (None, 40.0 * MB):
        left = lay(names[:5000], settled=[replace(closed[0], clip_bytes=measured)], members=members)
        assert len(left.tars) == 200, "whatever is left of it, and however large that is"
    few = lay([*names[:20_000], "one"], settled=closed, members=members)
    assert few.tars[-1].path == "data/train-g2-00000-of-00001.tar"
    gone = lay(names[20_000:], settled=second.generations, members=members)
    assert {tar.path for tar in gone.tars} == {path for path in new if "-g2-" in path}, "the next one keeps its name"
    assert len(gone.generations) == 2


@settings(max_examples=60)
@given(
    st.integers(1, 700),
    st.integers(0, 700),
    st.floats(1.0, 3e8),
    st.integers(0, 3),
    st.sampled_from([30 * MB, 100 * MB, 10**9]),
)
def test_every_clip_is_in_one_tar_and_no_tar_is_empty(clips, closed, size, generations, shard):
    names = ids(clips)
    members = [np.sort(id_hashes(ids(closed, first=number * 200))) for number in range(generations)]
    settled = [Generation(8, shard, "", closed=True) for _ in members]
    layout = lay(names, size=size, shard=shard, settled=settled, members=members)
    placed = [name for inside in tars(names, layout).values() for name in inside]
    assert sorted(placed) == sorted(names)
    assert all(tar.first < tar.last for tar in layout.tars)
    assert len({tar.path for tar in layout.tars}) == len(layout.tars)
    assert all(generation.tars in (1, 2, 4) or generation.tars % 8 == 0 for generation in layout.generations)
    again = lay(names, size=size, shard=shard, settled=layout.generations, members=members)
    assert again.tars == layout.tars


@settings(max_examples=60)
@given(st.lists(st.lists(st.floats(1.0, 100.0), max_size=30), max_size=8), st.integers(1, 500))
def test_in_source_order_a_tar_ends_where_a_piece_does(pieces, shard):
    numbers = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces]).astype(np.int64)
    sizes = np.array([size for piece in pieces for size in piece], np.float64)
    layout = in_source_order(numbers, sizes, shard_bytes=shard)
    assert layout.order.tolist() == list(range(len(sizes)))
    assert [row for tar in layout.tars for row in range(tar.first, tar.last)] == layout.order.tolist()
    for tar in layout.tars:
        assert len(set(numbers[tar.first : tar.last])) == 1
        assert sizes[tar.first : tar.last].sum() < shard + 100
    needed = sum(math.ceil(sum(piece) / shard) for piece in pieces)
    assert len(layout.tars) <= needed


def test_generations_are_kept_and_closed_by_what_was_published(tmp_path: Path):
    output = output_of("it", tmp_path / "it", limit=None)
    output.work.mkdir(parents=True)
    assert read_generations(output) == ([], [])
    write_generations(output, [Generation(1, MB, "a", 5.0)])
    names = ids(10)
    write_tables(
        [pa.table({"clip_id": names})],
        out=output.folder,
        columns={"clip_id": "string"},
        shards=[("data/train-00000-of-00001.tar", 10)],
    )
    close_generation(output)
    settled, members = read_generations(output)
    assert settled == [Generation(1, MB, "a", 5.0, closed=True)]
    assert members[0].tolist() == sorted(id_hashes(names).tolist())
    close_generation(output)
    assert len(read_generations(output)[1]) == 1, "there was nothing new to close"

    write_generations(output, [*settled, Generation(1, MB, "b")])
    later = ids(3, first=10)
    write_tables(
        [pa.table({"clip_id": [*names, *later]})],
        out=output.folder,
        columns={"clip_id": "string"},
        shards=[("data/train-00000-of-00001.tar", 10), ("data/train-g2-00000-of-00001.tar", 3)],
    )
    close_generation(output)
    assert read_generations(output)[1][1].tolist() == sorted(id_hashes(later).tolist())
    path = output.work / "generation-1.arrow"
    path.write_bytes(path.read_bytes()[:-1])
    assert read_generations(output) == ([], []), "damaged, and so forgotten"
