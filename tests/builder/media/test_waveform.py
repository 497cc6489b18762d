from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from shotscribe.builder.contract.errors import ClipError, Reason
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.sound import NATIVE_SOUND, Samples, SoundReducer, SoundSampling, Waveform
from shotscribe.builder.media import waveform
from shotscribe.builder.media.video import probe
from shotscribe.builder.media.waveform import hear

WithSound = Callable[..., Path]
LIMITS = Decode()
SPEECH = SoundSampling(rate=16000, mono=True)

FORMS = [
    ("mov", "pcm_s16le", 48000),
    ("mov", "pcm_f32le", 44100),
    ("mp4", "aac", 44100),
    ("mkv", "libopus", 48000),
    ("mp4", "libmp3lame", 44100),
    ("mkv", "flac", 48000),
    ("mp4", "aac", 8000),
    ("ts", "aac", 48000),
    ("avi", "pcm_s16le", 44100),
]


def bursts(rate: int, *spans: tuple[float, float], seconds: float = 4.0, channels: int = 2) -> np.ndarray:
    """A tone of 997 Hz and half of full scale during the spans, else silence."""
    t = np.arange(round(seconds * rate)) / rate
    on = np.any([(first <= t) & (t < last) for first, last in spans], axis=0)
    return np.tile(0.5 * on * np.sin(2 * np.pi * 997 * t), (channels, 1))


def heard(path: Path, start: float, end: float, sampling: SoundSampling = NATIVE_SOUND) -> Waveform:
    found = hear(str(path), start=start, end=end, samplings=[sampling], limits=LIMITS)
    assert found is not None
    sound = found[sampling]
    assert sound.samples.dtype == np.float32
    assert sound.samples.shape[1] == round((end - start) * sound.rate)
    return sound


def spans(sound: Waveform) -> list[float]:
    """When the tone begins and ends, in turn."""
    size = sound.rate // 500  # two periods of 997 Hz
    whole = sound.samples.shape[1] // size * size
    level = np.abs(sound.samples[:, :whole]).mean(axis=0).reshape(-1, size).mean(axis=1)
    on = np.concatenate([[False], level > 0.1, [False]])
    return [float(at) * size / sound.rate for at in np.flatnonzero(on[1:] != on[:-1])]


def near(*times: float) -> Any:
    return pytest.approx(list(times), abs=0.02)


@pytest.mark.parametrize(("suffix", "codec", "rate"), FORMS)
def test_a_part_of_a_file_is_its_exact_range(
    with_sound: WithSound, tmp_path: Path, suffix: str, codec: str, rate: int
) -> None:
    path = with_sound(tmp_path / f"a.{suffix}", bursts(rate, (2, 3)), rate=rate, codec=codec)
    for start, end, expected in (
        (0.0, 4.0, (2.0, 3.0)),
        (1.5, 2.5, (0.5, 1.0)),
        (2.5, 4.0, (0.0, 0.5)),
        (2.1, 2.9, (0.0, 0.8)),
        (0.0, 1.9, ()),
        (3.1, 4.0, ()),
    ):
        sound = heard(path, start, end)
        assert (sound.rate, sound.layout) == (rate, "stereo")
        assert spans(sound) == near(*expected)
        assert spans(heard(path, start, end, SPEECH)) == near(*expected)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "pcm_s16le"), ("ts", "aac")])
def test_a_sound_that_starts_late_or_ends_early(with_sound: WithSound, tmp_path: Path, suffix: str, codec: str) -> None:
    wave = bursts(48000, (0, 1), seconds=1.0)
    path = with_sound(tmp_path / f"a.{suffix}", wave, codec=codec, seconds=4.0, sound_at_s=1.5)
    assert spans(heard(path, 0.0, 4.0)) == near(1.5, 2.5)
    assert spans(heard(path, 2.0, 4.0)) == near(0.0, 0.5)
    assert spans(heard(path, 3.0, 4.0)) == []
    assert not heard(path, 0.0, 1.0).samples.any()


def test_zero_is_the_first_frame_of_the_picture(with_sound: WithSound, tmp_path: Path) -> None:
    wave = bursts(48000, (2, 3))
    path = with_sound(tmp_path / "a.mkv", wave, seconds=3.0, picture_at_s=1.0)
    assert spans(heard(path, 0.0, 3.0)) == near(1.0, 2.0)


def test_samples_are_those_of_the_file(with_sound: WithSound, tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-2, 2, (3, 8000)).astype(np.float32)  # beyond full scale as well
    path = with_sound(tmp_path / "a.mov", wave, rate=8000, codec="pcm_f32le", layout="2.1")
    sound = heard(path, 0.0, 1.0)
    assert (sound.rate, sound.layout) == (8000, "2.1")
    assert np.array_equal(sound.samples, wave)
    assert np.array_equal(heard(path, 0.3, 0.7).samples, wave[:, 2400:5600])
    assert np.allclose(heard(path, 0.0, 1.0, SoundSampling(mono=True)).samples, wave.mean(axis=0), atol=1e-6)


def test_many_channels_keep_their_order(with_sound: WithSound, tmp_path: Path) -> None:
    wave = np.repeat(np.arange(8)[:, None] / 16, 48000, axis=1).astype(np.float32)
    path = with_sound(tmp_path / "a.mov", wave, codec="pcm_f32le", layout="7.1")
    sound = heard(path, 0.0, 1.0)
    assert np.array_equal(sound.samples, wave)
    slower = heard(path, 0.0, 1.0, SoundSampling(rate=16000)).samples
    assert np.allclose(slower[:, 4000:-4000], wave[:, :8000], atol=1e-3)


def test_resampling_moves_nothing(with_sound: WithSound, tmp_path: Path) -> None:
    t = np.arange(88200) / 44100
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 500 * t) * t)
    path = with_sound(tmp_path / "a.mov", np.tile(chirp, (2, 1)), rate=44100, codec="pcm_f32le")
    t = np.arange(32000) / 16000
    (made,) = heard(path, 0.0, 2.0, SPEECH).samples
    assert np.abs(made - 0.5 * np.sin(2 * np.pi * (200 + 500 * t) * t))[50:-50].max() < 2e-3


@dataclass(frozen=True, slots=True)
class Sums:
    def begin(self, *, rate: int, layout: str) -> SoundReducer:
        return Sum(rate, layout)


class Sum:
    def __init__(self, rate: int, layout: str) -> None:
        self._rate, self._channels = rate, av.AudioLayout(layout).nb_channels
        self._sum, self._count = 0.0, 0

    def add(self, samples: Samples) -> None:
        assert samples.shape[0] == self._channels
        assert 0 < samples.shape[1] <= self._rate
        self._sum += float(samples.astype(np.float64).sum())
        self._count += samples.size

    def end(self) -> np.ndarray:
        return np.array([self._sum, self._count])


@pytest.mark.parametrize(("channels", "layout"), [(1, "mono"), (2, "stereo"), (6, "5.1"), (9, "9 channels")])
def test_channels_without_names_are_the_usual_ones(
    with_sound: WithSound, tmp_path: Path, channels: int, layout: str
) -> None:
    wave = np.repeat(np.arange(channels)[:, None] / 16, 8000, axis=1)
    path = with_sound(tmp_path / "a.mkv", wave, rate=8000, layout=f"{channels} channels")
    sound = heard(path, 0.0, 1.0)
    assert sound.layout == layout
    assert np.array_equal(sound.samples, wave)


def test_all_forms_come_out_of_one_pass_and_are_what_they_are_alone(with_sound: WithSound, tmp_path: Path) -> None:
    wave = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 96000))
    path = with_sound(tmp_path / "a.mov", wave, codec="pcm_s16le")
    forms = [NATIVE_SOUND, SPEECH, SoundSampling(reduce=Sums()), SoundSampling(rate=8000, mono=True, reduce=Sums())]
    found = hear(str(path), start=0.5, end=1.7, samplings=forms, limits=LIMITS)
    assert found is not None
    for form in forms:
        alone = hear(str(path), start=0.5, end=1.7, samplings=[form], limits=LIMITS)
        assert alone is not None
        assert np.array_equal(found[form].samples, alone[form].samples)
        assert np.array_equal(found[form].numbers, alone[form].numbers)
    native, _, reduced, slow = (found[form] for form in forms)
    assert reduced.numbers.tolist() == pytest.approx([native.samples.sum(dtype=np.float64), 2 * 57600])
    assert reduced.samples.shape == (2, 0)
    assert slow.numbers[1] == 9600


def test_no_sound_is_none(encode: Callable[..., Path], moving: Callable[..., Any], tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving(10))
    assert hear(str(path), start=0.0, end=0.3, samplings=[NATIVE_SOUND], limits=LIMITS) is None


def test_what_is_kept_has_a_limit(with_sound: WithSound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_sound(tmp_path / "a.mov", bursts(48000, (0, 1), seconds=1.0))
    monkeypatch.setattr(waveform, "MAX_BYTES", 4 * 2 * 48000)
    assert heard(path, 0.0, 1.0).samples.shape == (2, 48000)
    with pytest.raises(ClipError, match="bytes of decoded sound: 448000 > 384000; cut the video into clips") as caught:
        hear(str(path), start=0.0, end=1.0, samplings=[NATIVE_SOUND, SPEECH], limits=LIMITS)
    assert caught.value.rejection.reason == Reason.LIMIT
    reduced = SoundSampling(reduce=Sums())
    hear(str(path), start=0.0, end=1.0, samplings=[NATIVE_SOUND, reduced], limits=LIMITS)


def damage(path: Path, spans_s: Sequence[tuple[float, float]]) -> None:
    """Overwrite the sound's packets that begin in the spans."""
    with av.open(str(path)) as container:
        places = [
            (packet.pos, packet.size)
            for packet in container.demux(audio=0)
            if packet.size and any(first <= float(packet.pts * packet.time_base) < last for first, last in spans_s)
        ]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "alac"])
def test_a_damaged_sound_is_no_silence(with_sound: WithSound, tmp_path: Path, codec: str) -> None:
    path = with_sound(tmp_path / "a.mp4", bursts(48000, (0, 4)), codec=codec)
    damage(path, [(1.0, 2.0)])
    with pytest.raises(ClipError, match=r"1\.\d\d s of 4\.00 s of its sound cannot be decoded") as caught:
        heard(path, 0.0, 4.0)
    assert caught.value.rejection.reason == Reason.DECODE_ERROR
    assert spans(heard(path, 2.4, 4.0)) == near(0.0, 1.6)
    damage(path, [(0.0, 4.0)])
    with pytest.raises(ClipError, match="cannot be decoded"):
        heard(path, 0.0, 0.4)


def test_single_packets_may_be_lost_but_not_many(with_sound: WithSound, tmp_path: Path) -> None:
    path = with_sound(tmp_path / "a.mp4", bursts(48000, (0, 4)), codec="aac")
    damage(path, [(1.0, 1.1), (3.0, 3.1)])
    assert heard(path, 0.0, 4.0).samples.any()
    damage(path, [(at / 10, at / 10 + 0.05) for at in range(0, 40, 2)])
    with pytest.raises(ClipError, match="cannot be decoded"):
        heard(path, 0.0, 4.0)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_gives_what_there_is(with_sound: WithSound, tmp_path: Path, share: float) -> None:
    path = with_sound(tmp_path / "a.mkv", bursts(48000, (0, 4)), codec="aac")
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    found = probe(str(path), start=None, end=None, limits=LIMITS)
    sound = heard(path, found["start"], found["end"])
    assert spans(sound)[0] == pytest.approx(0, abs=0.02)
