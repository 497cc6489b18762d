from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import webdataset
from shotscribe.builder.contract.errors import ClipError, Reason, Rejection, RunError
from shotscribe.builder.contract.identity import text_hash
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.locations import media_of, media_stat
from shotscribe.builder.media.cut import Form
from shotscribe.builder.media.video import probe
from shotscribe.builder.output import tars
from shotscribe.builder.output.entries import Sample
from shotscribe.builder.output.extent import Extent
from shotscribe.builder.output.shards import Shard, WantedTar, pack
from shotscribe.builder.output.tar_store import TarStore
from shotscribe.builder.output.tars import tar_digest
from shotscribe.builder.run.executors.local import LocalExecutor

LIMITS = Decode(timeout_s=60)
CLIPS = 4
"""in a tar."""


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory, encode, moving) -> list[Path]:
    """Three small mp4s of 3 s."""
    folder = tmp_path_factory.mktemp("media")
    return [encode(folder / f"{seed}.mp4", moving(36, seed=seed), fps=12, audio=seed == 0) for seed in range(3)]


@functools.cache
def form(path: Path, version: str, start: float, end: float) -> Form:
    """What probing says of a part; of what is no video, what is as good."""
    try:
        return Form.of(probe(str(path), start=start, end=end, limits=LIMITS))
    except ClipError:
        return Form(start, end, 5, 12, 1, False, False, "h264", False, None, None)


def sample(path: Path, name: str, *, start: float = 0.0, end: float = 3.0, text: str | None = "") -> Sample:
    record = json.dumps({"clip_id": name, "end": end, "start": start}, separators=(",", ":")).encode()
    version = media_stat(path) if path.exists() else "0-0"
    text = f"caption of {name}" if text == "" else text
    return Sample(
        name,
        int(text_hash(f"{name} {version} {start} {end} {text}")[:16], 16),
        str(path),
        version,
        version,
        form(path, version, start, end),
        text,
        record,
    )


def part(media: list[Path], at: int, *, text: str = "") -> Sample:
    """A short clip, every fifth a whole file."""
    if at % 5 == 4:
        return sample(media[at % 3], f"clip-{at:03}", text=text)
    return sample(media[at % 3], f"clip-{at:03}", start=at * 0.05, end=at * 0.05 + 0.5, text=text)


def parts(media: list[Path], count: int = 30) -> list[Sample]:
    return [part(media, at) for at in range(count)]


Packing = tuple[list[Shard], dict[str, Rejection]]


def wanted(samples: list[Sample], *, clips: int = CLIPS) -> list[WantedTar]:
    """Tars of so many clips each."""
    tars = [samples[at : at + clips] for at in range(0, len(samples), clips)]
    return [
        WantedTar(
            f"data/train-{at:05}-of-{len(tars):05}.tar",
            tar_digest(sample.digest for sample in tar),
            len(tar),
            lambda tar=tar: iter(tar),
        )
        for at, tar in enumerate(tars)
    ]


@pytest.fixture
def packing(executor: LocalExecutor, tmp_path: Path) -> Callable[..., Packing]:
    def packing(samples: list[Sample], *, out: Path = tmp_path / "out", embed: bool = True) -> Packing:
        out.mkdir(exist_ok=True)
        done: list[int] = []
        store = TarStore.open(out, out / ".work")
        made, rejected = pack(
            wanted(samples), store=store, embed=embed, executor=executor, limits=LIMITS, on_done=done.append
        )
        assert sum(done) == len(samples)
        published = store.publish({path: digest for path, digest in made.items() if digest})
        return [Shard(path, tar.rows, tar.bytes, tar.sha256) for path, tar in published.items()], rejected

    return packing


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch, executor: LocalExecutor) -> list[str]:
    """The clips that were sent to a worker to be cut."""
    sent: list[str] = []
    submit = executor.submit

    def counted(function, *args, **kwargs):
        sent.append(kwargs["sample"].clip_id)
        return submit(function, *args, **kwargs)

    monkeypatch.setattr(executor, "submit", counted)
    return sent


def content(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((out / "data").iterdir())}


def state(out: Path) -> set[str]:
    return {path.name for folder in ("tars", "cuts") for path in (out / ".work" / folder).iterdir()}


def members(out: Path) -> list[str]:
    names: list[str] = []
    for path in sorted((out / "data").iterdir()):
        with tarfile.open(path) as tar:
            names += tar.getnames()
    return names


def test_shards_hold_the_clips_in_order_and_say_what_they_are(media, packing, tmp_path):
    samples = parts(media)
    shards, rejected = packing(samples)
    out = tmp_path / "out"
    assert rejected == {}
    assert len(shards) == 8
    assert [shard.path for shard in shards] == [
        f"data/train-{at:05}-of-{len(shards):05}.tar" for at in range(len(shards))
    ]
    assert members(out) == [f"{s.clip_id}.{kind}" for s in samples for kind in ("mp4", "txt", "json")]
    for shard in shards:
        data = (out / shard.path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard.bytes, shard.sha256)
    assert sum(shard.rows for shard in shards) == len(samples)
    assert {path.suffix for path in (out / ".work" / "tars").iterdir()} == {".tar", ".json"}
    assert not list((out / ".work" / "cuts").iterdir())


def test_members_carry_no_trace_of_time_or_user(media, packing, tmp_path):
    packing([sample(media[0], "a")])
    with tarfile.open(tmp_path / "out" / "data" / "train-00000-of-00001.tar") as tar:
        for member in tar:
            about = (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode, member.type)
            assert about == (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)


def test_webdataset_reads_them(media, packing, tmp_path):
    samples = parts(media, 12)
    shards, _ = packing(samples)
    urls = [str(tmp_path / "out" / shard.path) for shard in shards]
    read = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [row["__key__"] for row in read] == [s.clip_id for s in samples]
    assert [row["txt"].decode() for row in read] == [s.text for s in samples]
    assert [row["json"] for row in read] == [s.record for s in samples]
    assert all(row["mp4"][4:8] == b"ftyp" for row in read)


def test_a_clip_without_a_main_caption_has_no_txt(media, packing, tmp_path):
    packing([sample(media[0], "a", text=None)])
    assert members(tmp_path / "out") == ["a.mp4", "a.json"]


def test_by_reference_no_media_is_touched(packing, tmp_path):
    shards, rejected = packing([sample(tmp_path / "nowhere.mp4", name) for name in "ab"], embed=False)
    assert (len(shards), rejected) == (1, {})
    assert members(tmp_path / "out") == ["a.txt", "a.json", "b.txt", "b.json"]


def test_a_second_run_makes_nothing(media, packing, cuts, tmp_path):
    samples = parts(media, 10)
    first = packing(samples)
    inodes = {path.name: path.stat().st_ino for path in (tmp_path / "out" / "data").iterdir()}
    cuts.clear()
    for path in media:  # nothing of them is needed any more
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert packing(samples) == first
    assert cuts == []
    assert {path.name: path.stat().st_ino for path in (tmp_path / "out" / "data").iterdir()} == inodes


def test_changed_captions_and_fewer_clips_encode_nothing(media, packing, cuts, tmp_path):
    packing(parts(media))
    before = state(tmp_path / "out")
    cuts.clear()
    changed = [part(media, at, text="another") for at in range(3, 30)]
    packing(changed)
    assert cuts == []
    assert not before & state(tmp_path / "out"), "stale tars are removed"
    assert len(list((tmp_path / "out" / ".work" / "cuts").iterdir())) == 3, "what they had and no tar has is kept"
    fresh = tmp_path / "fresh"
    packing(changed, out=fresh)
    assert content(fresh) == content(tmp_path / "out")
    cuts.clear()
    packing(parts(media))
    assert cuts == [], "what comes back is not cut again"
    assert not list((tmp_path / "out" / ".work" / "cuts").iterdir()), "one copy of it"
    packing(parts(media), out=fresh)
    assert sorted(cuts) == ["clip-000", "clip-001", "clip-002"], "only what is new"


def test_a_bad_clip_is_rejected_and_the_rest_is_packed(media, packing, encode, moving, tmp_path):
    changed = encode(tmp_path / "changed.mp4", moving(12), fps=12)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(media[0].read_bytes()[:300] + bytes(5000))
    bad = [
        sample(changed, "changed-whole", end=1.0),
        sample(changed, "changed-part", start=0.2, end=0.6),
        sample(broken, "broken", start=0.2, end=0.6),
        sample(tmp_path / "gone.mp4", "gone-whole"),
        sample(tmp_path / "gone.mp4", "gone-part", start=0.2, end=0.6),
    ]
    encode(changed, moving(13), fps=12)
    good = parts(media, 10)
    mixed = [*good[:4], *bad[:3], *good[4:8], *bad[3:], *good[8:]]
    shards, rejected = packing(mixed)
    assert {clip: rejection.reason for clip, rejection in rejected.items()} == {
        "changed-whole": Reason.UNREADABLE,
        "changed-part": Reason.UNREADABLE,
        "broken": Reason.UNREADABLE,
        "gone-whole": Reason.MISSING_FILE,
        "gone-part": Reason.MISSING_FILE,
    }
    assert str(tmp_path) not in repr(rejected)
    assert [shard.rows for shard in shards] == [4, 1, 3, 2], "a tar keeps its other clips"
    assert members(tmp_path / "out") == [f"{s.clip_id}.{kind}" for s in good for kind in ("mp4", "txt", "json")]


def test_a_tar_of_bad_clips_alone_is_none(media, packing, tmp_path):
    gone = [sample(tmp_path / "gone.mp4", f"gone-{at}", start=0.2 if at % 2 else 0.0) for at in range(CLIPS)]
    shards, rejected = packing([*parts(media, CLIPS), *gone])
    assert ([shard.rows for shard in shards], len(rejected)) == ([CLIPS], CLIPS)
    assert not [name for name in state(tmp_path / "out") if name.endswith(".tmp")]


def test_a_name_of_undecodable_bytes_and_a_version_that_was_not_noted(media, packing, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/clip \xff.mp4"))
    shutil.copyfile(media[0], path)
    whole = sample(media[0], "a").form
    middle = sample(media[0], "a", start=0.5, end=1.0).form
    samples = [
        Sample("a", 1, media_of(path), "1", media_stat(path), whole, "a", b"{}"),
        Sample("b", 2, os.fspath(path), "1", "", whole, "b", b"{}"),
        Sample("c", 3, media_of(path), "1", "", middle, "c", b"{}"),
    ]
    shards, rejected = packing(samples)
    assert rejected == {}
    assert sum(shard.rows for shard in shards) == 3


def test_a_disk_that_is_full_while_cuts_are_put_back_loses_none(media, packing, cuts, monkeypatch, tmp_path):
    packing(parts(media))
    before = content(tmp_path / "out")
    with monkeypatch.context() as patch:
        calls: list[Path] = []

        def full(extent: Extent, path: Path) -> None:
            calls.append(path)
            if len(calls) > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            path.write_bytes(b"")
            extent.copy_to(os.open(path, os.O_WRONLY))

        patch.setattr(Extent, "copy_into", full)
        with pytest.raises(RunError, match="free some space and run the same command again"):
            packing(parts(media)[4:])
        with pytest.raises(RunError, match="free some space and run the same command again"):
            packing(parts(media)[4:])
    cuts.clear()
    packing(parts(media)[4:])
    packing(parts(media))
    assert cuts == []
    assert content(tmp_path / "out") == before


def test_media_that_vanishes_while_a_tar_is_written(media, packing, monkeypatch, tmp_path, encode, moving):
    """It was there when the tar was begun, and the beginning of its copy is taken out of the tar again."""
    victims = [encode(tmp_path / f"victim{at}.mp4", moving(12, seed=at), fps=12) for at in range(2)]
    good = parts(media, 20)
    mixed = [*good[:6], sample(victims[0], "first", end=1.0), *good[6:7], sample(victims[1], "second", end=1.0)]
    copy = Extent._copy

    def vanish(extent: Extent, source: int, target: int) -> None:
        for victim in victims:
            victim.unlink(missing_ok=True)
        copy(extent, source, target)

    monkeypatch.setattr(Extent, "_copy", vanish)
    shards, rejected = packing([*mixed, *good[7:]])
    assert {clip: rejection.reason for clip, rejection in rejected.items()} == {
        "first": Reason.MISSING_FILE,
        "second": Reason.MISSING_FILE,
    }
    assert members(tmp_path / "out") == [f"{s.clip_id}.{kind}" for s in good for kind in ("mp4", "txt", "json")]
    read = webdataset.WebDataset([str(tmp_path / "out" / shard.path) for shard in shards], shardshuffle=False)
    assert [row["json"] for row in read] == [s.record for s in good]


def test_media_that_changes_while_it_is_copied_leaves_nothing_in_the_tar(
    media, packing, monkeypatch, tmp_path, encode, moving
):
    """The last clip of a tar: nothing comes after it that would lie over its bytes."""
    victim = encode(tmp_path / "victim.mp4", moving(60, seed=5), fps=12)
    good = parts(media, 3)
    copy = Extent._copy

    def touched(extent: Extent, source: int, target: int) -> None:
        copy(extent, source, target)
        if extent.media == str(victim):
            os.utime(victim, (1, 1))

    monkeypatch.setattr(Extent, "_copy", touched)
    (shard,), rejected = packing([*good, sample(victim, "victim", end=5.0)])
    assert list(rejected) == ["victim"]
    packing(good, out=tmp_path / "clean")
    assert list(content(tmp_path / "out").values()) == list(content(tmp_path / "clean").values())
    assert shard.rows == 3


def test_where_there_are_no_hard_links_tars_are_copied(media, packing, monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    packing(parts(media, 10))
    data = tmp_path / "out" / "data"
    before = {path.name: path.stat().st_mtime_ns for path in data.iterdir()}
    assert all(path.stat().st_nlink == 1 for path in data.iterdir())
    packing(parts(media, 10))
    assert {path.name: path.stat().st_mtime_ns for path in data.iterdir()} == before


def test_a_damaged_tar_is_made_anew(media, packing, tmp_path):
    first = packing(parts(media, 10))
    kept = content(tmp_path / "out")
    tar = next((tmp_path / "out" / ".work" / "tars").glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:1000])
    assert packing(parts(media, 10)) == first
    assert content(tmp_path / "out") == kept


def test_a_header_of_more_than_8_gib_can_be_read():
    data = tars._header("a.mp4", 9 << 30)
    assert tarfile.TarInfo.frombuf(data[-512:], "utf-8", "strict").name == "a.mp4"
    assert b"size=%d\n" % (9 << 30) in data


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file may grow larger than this: what a full disk looks like to who writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_tar_that_cannot_be_written_stops_the_run_and_keeps_what_was_done(media, packing, cuts, tmp_path):
    samples = parts(media, 4)
    largest = max(len(member) for member in _videos(packing(samples, out=tmp_path / "clean"), tmp_path / "clean"))
    cuts.clear()
    with file_limit(largest + 100), pytest.raises(RunError, match=r"tars: cannot write: .*run again"):
        packing(samples)
    assert not [name for name in state(tmp_path / "out") if name.endswith(".tmp")]
    assert cuts
    cuts.clear()
    packing(samples)
    assert cuts == []
    assert content(tmp_path / "out") == content(tmp_path / "clean")


def _videos(packed: Packing, out: Path) -> list[bytes]:
    rows = webdataset.WebDataset([str(out / shard.path) for shard in packed[0]], shardshuffle=False)
    return [row["mp4"] for row in rows]


def test_a_cut_that_cannot_be_written_stops_the_run(media, tmp_path):
    store = TarStore.open(tmp_path, tmp_path / ".work")
    with file_limit(2000), LocalExecutor(1) as executor, pytest.raises(RunError, match=r"cannot write: .*run again"):
        pack(
            wanted(parts(media, 4)),
            store=store,
            embed=True,
            executor=executor,
            limits=LIMITS,
            on_done=lambda _: None,
        )
    TarStore.open(tmp_path, tmp_path / ".work")  # clears what a worker that was ended had begun to write
    assert state(tmp_path) == set()


def test_a_read_only_place_stops_the_run(media, packing, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="cannot write"):
        packing(parts(media, 2))


def _writer_of(path: Path) -> int | None:
    """The id of the process, other than this one, that has a file open."""
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if opened.readlink() == path and (process := int(opened.parts[2])) != os.getpid():
                return process
    return None


def test_a_worker_that_is_killed_at_work_costs_nothing(media, packing, executor, tmp_path):
    samples = parts(media)
    clean = packing(samples, out=tmp_path / "clean")
    for attempt in range(20):  # a cut may be written between two looks
        out = tmp_path / f"out {attempt}"
        killed, over = threading.Event(), threading.Event()
        killer = threading.Thread(target=kill_a_writer, args=(out / ".work" / "cuts", killed, over))
        killer.start()
        packed = packing(samples, out=out)
        over.set()
        killer.join()
        assert packed == clean
        assert content(out) == content(tmp_path / "clean")
        if killed.is_set():
            return
    pytest.fail("no worker was ever seen at work")


def kill_a_writer(cuts: Path, killed: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        for unfinished in cuts.glob(".*.tmp"):
            if (worker := _writer_of(unfinished)) is not None:
                os.kill(worker, signal.SIGKILL)
                killed.set()
                return


KILLED = """
import json, sys
from pathlib import Path
from shotscribe.builder.media.cut import Form
from shotscribe.builder.run.executors.local import LocalExecutor
from shotscribe.builder.output.entries import Sample
from shotscribe.builder.output.shards import WantedTar, pack
from shotscribe.builder.output.tar_store import TarStore
from shotscribe.builder.output.tars import tar_digest
from shotscribe.builder.contract.limits import Decode

if __name__ == "__main__":
    rows = json.loads(Path(sys.argv[1]).read_text())
    samples = [Sample(**{**row, "form": Form(**row["form"]), "record": row["record"].encode()}) for row in rows]
    clips = int(sys.argv[3])
    tars = [samples[at : at + clips] for at in range(0, len(samples), clips)]
    wanted = [
        WantedTar(f"data/train-{at:05}-of-{len(tars):05}.tar", tar_digest(s.digest for s in tar), len(tar),
                  lambda tar=tar: iter(tar))
        for at, tar in enumerate(tars)
    ]
    with LocalExecutor(2) as executor:
        out = Path(sys.argv[2])
        store = TarStore.open(out, out / ".work")
        made, _ = pack(wanted, store=store, embed=True, executor=executor, limits=Decode(timeout_s=60),
                       on_done=lambda n: print("done\\n" * n, end="", flush=True))
        store.publish(made)
"""


@pytest.mark.soak
def test_killed_at_any_instant_it_goes_on_where_it_was(media, packing, tmp_path, soak):
    samples = parts(media)
    whole, rejected = packing(samples, out=tmp_path / "clean")
    assert rejected == {}
    rows = [{**asdict(sample), "record": sample.record.decode()} for sample in samples]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "killed.py").write_text(KILLED)
    out = tmp_path / "out"
    out.mkdir()
    moments = random.Random(7)
    ended = 0
    for kill in [*range(10)] * soak:
        command = [sys.executable, tmp_path / "killed.py", tmp_path / "rows.json", out, str(CLIPS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(moments.randrange(3 * kill, 3 * kill + 4)):
                process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.1))
            process.send_signal(signal.SIGKILL)
        ended += process.returncode == 0
    assert ended < 5 * soak, "most kills must hit a run that is at work"
    assert packing(samples) == (whole, {})
    assert content(out) == content(tmp_path / "clean")
    assert not [name for name in state(out) if name.endswith((".tmp", ".mp4"))]
