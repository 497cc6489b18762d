"""The log of finished clips: whatever a kill leaves of it is a prefix, and old entries never answer for new keys."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shotscribe.builder.contract.errors import Reason, Rejection
from shotscribe.builder.contract.step import Measured
from shotscribe.builder.store.journal import Journal
from shotscribe.builder.store.seal import damaged

KEYS = {"luma": "k1 v1", "blur": "k2 v1"}
TIMEOUT = Measured({"luma": {"luma": 0.5}}, "blur", Rejection(Reason.TIMEOUT, "not done after 1 s"))
DONE = Measured({"luma": {"luma": 0.5}, "blur": {"blur": 3.25}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "head.jsonl"


def find(journal: Journal, clip: str, keys: Mapping[str, str], *, retry: Collection[str] = ()) -> Measured | None:
    return journal.find(clip, list(keys), lambda name, values: keys[name], retry=retry)


def interrupted(path: Path, *entries: tuple[str, dict[str, str], Measured]) -> None:
    journal = Journal(path, clips="abcdefgh")
    for clip, keys, measured in entries:
        journal.append(clip, keys, measured)
    journal.close(done=False)


def test_what_was_logged_is_found(path: Path) -> None:
    interrupted(path, ("a", KEYS, DONE), ("b", KEYS, TIMEOUT))
    with Journal(path, clips="abcdefgh") as journal:
        assert find(journal, "a", KEYS) == DONE
        assert find(journal, "b", KEYS) == TIMEOUT
        assert find(journal, "c", KEYS) is None
    assert not path.exists()


def test_what_the_surroundings_did_is_tried_again(path: Path) -> None:
    gone = Measured({"luma": {"luma": 0.5}}, "blur", Rejection(Reason.MISSING_FILE, "no such file", passing=True))
    interrupted(path, ("a", KEYS, gone))
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS) is None


def test_it_stays_when_the_shard_was_not_finished(path: Path) -> None:
    def ends_early() -> None:
        with Journal(path, clips="abcdefgh") as journal:
            journal.append("a", KEYS, DONE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends_early()
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS) == DONE


@pytest.mark.parametrize(
    "keys", [{"luma": "other v1", "blur": "k2 v1"}, {"luma": "k1 v2"}, {**KEYS, "motion": "k3 v1"}]
)
def test_other_keys_or_another_version_are_not_answered(path: Path, keys: dict[str, str]) -> None:
    interrupted(path, ("a", KEYS, DONE), ("a", {"motion": "k3 v0"}, Measured({"motion": {"motion": 1.0}})))
    assert find(Journal(path, clips="abcdefgh"), "a", keys) is None


def test_fewer_steps_are_answered_without_the_others(path: Path) -> None:
    """A kill between the writing of two steps' values: the first has its own, the second is in the log."""
    interrupted(path, ("a", KEYS, DONE), ("b", KEYS, TIMEOUT))
    journal = Journal(path, clips="abcdefgh")
    assert find(journal, "a", {"blur": "k2 v1"}) == Measured({"blur": {"blur": 3.25}})
    assert find(journal, "b", {"blur": "k2 v1"}) == Measured({}, "blur", TIMEOUT.rejection)
    assert find(journal, "b", {"luma": "k1 v1"}) == Measured({"luma": {"luma": 0.5}})


def test_in_another_order_a_failure_answers_only_with_what_came_before(path: Path) -> None:
    early = Measured({}, "luma", Rejection(Reason.DECODE_ERROR, "x"))
    interrupted(path, ("a", KEYS, early), ("b", KEYS, TIMEOUT))
    turned = dict(reversed(KEYS.items()))
    assert find(Journal(path, clips="abcdefgh"), "a", turned) is None  # blur comes first now, and has nothing
    assert find(Journal(path, clips="abcdefgh"), "b", turned) == Measured({}, "blur", TIMEOUT.rejection)


def test_a_failure_is_tried_again_when_asked_for(path: Path) -> None:
    interrupted(path, ("a", KEYS, TIMEOUT))
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS, retry=[Reason.DECODE_ERROR]) == TIMEOUT
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS, retry=[Reason.TIMEOUT]) is None
    interrupted(path, ("a", KEYS, DONE))
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS, retry=[Reason.TIMEOUT]) == DONE
    assert find(Journal(path, clips="abcdefgh"), "a", KEYS) == DONE


@settings(max_examples=80)
@given(st.lists(st.floats(), min_size=1, max_size=8), st.data())
def test_any_truncation_is_a_prefix(numbers: list[float], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j.jsonl"
        entries = [(f"clip{at}", KEYS, Measured({"luma": {"luma": n}, "blur": {}})) for at, n in enumerate(numbers)]
        interrupted(path, *entries)
        whole = path.read_bytes()
        size = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:size])
        journal = Journal(path, clips="abcdefgh")
        found = [find(journal, clip, KEYS) for clip, _, _ in entries]
        lines = whole[:size].count(b"\n")
        assert [measured is not None for measured in found] == [at < lines for at in range(len(entries))]
        assert [repr(m) for m in found if m] == [repr(m) for _, _, m in entries[:lines]]
        journal.append("after", KEYS, DONE)
        journal.close(done=False)
        assert find(Journal(path, clips="abcdefgh"), "after", KEYS) == DONE
        assert path.read_bytes().startswith(b"".join(whole.splitlines(keepends=True)[:lines]))


@pytest.mark.parametrize("rubbish", [b"\0\0\0\n", b'{"clip_id": "b", "ke{"clip_id": "c"}\n', b"\xff\xfe\n"])
def test_a_spoilt_line_loses_itself_alone(path: Path, rubbish: bytes) -> None:
    interrupted(path, ("a", KEYS, DONE), ("z", KEYS, DONE))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + rubbish + second + second.replace(b'"z"', b'"y"'))
    journal = Journal(path, clips="abcdefgh")
    assert [find(journal, clip, KEYS) for clip in "azy"] == [DONE, DONE, None]
    assert damaged() == [path]
    journal.append("b", KEYS, DONE)
    journal.close(done=False)
    again = Journal(path, clips="abcdefgh")
    assert [find(again, clip, KEYS) for clip in "azb"] == [DONE, DONE, DONE]
    assert damaged() == [path]


@pytest.mark.parametrize("seed", range(40))
def test_no_flipped_bit_makes_another_entry(path: Path, seed: int) -> None:
    interrupted(path, *((clip, KEYS, DONE) for clip in "abcdef"))
    data = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(8 * len(data))
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)
    journal = Journal(path, clips="abcdef")
    found = [find(journal, clip, KEYS) for clip in "abcdef"]
    assert found.count(DONE) >= 4  # a line, or two where the flipped bit was the end of one
    assert found.count(None) == 6 - found.count(DONE)
    damaged()


def test_what_it_knows_of_other_clips_outlives_a_smaller_run(tmp_path: Path) -> None:
    path = tmp_path / "log"
    interrupted(path, ("a", KEYS, DONE), ("c", KEYS, DONE))
    Journal(path, clips="ab").close(done=True)
    assert find(Journal(path, clips="abc"), "c", KEYS) == DONE
    Journal(path, clips="abc").close(done=True)
    assert not path.exists()


def test_a_late_entry_is_written_nowhere(tmp_path: Path) -> None:
    """The number of a closed file is soon another file's."""
    path, other = tmp_path / "log", tmp_path / "other"
    journal = Journal(path, clips="a")
    journal.close(done=False)
    with other.open("w"):
        journal.append("a", KEYS, DONE)
    assert other.read_bytes() == path.read_bytes() == b""


def test_which_clips_failed_for_a_reason(tmp_path: Path) -> None:
    interrupted(tmp_path / "log", ("a", KEYS, DONE), ("b", KEYS, TIMEOUT))
    journal = Journal(tmp_path / "log", clips="ab")
    assert journal.failed([Reason.TIMEOUT]) == {"b"}
    assert journal.failed([Reason.BAD_CAPTION]) == journal.failed([]) == set()
