from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from shotscribe.builder.contract.clip import Clip, Values
from shotscribe.builder.contract.engine import NO_ENGINE
from shotscribe.builder.contract.limits import Decode
from shotscribe.builder.contract.sound import Waveform
from shotscribe.builder.contract.step import ClipStep
from shotscribe.builder.media.video import probe
from shotscribe.builder.run.executors import work
from shotscribe.builder.run.executors.work import measure_clip
from shotscribe.filters._r128 import LOUDNESS, R128
from shotscribe.filters.loudness import Loudness

WithSound = Callable[..., Path]
LIMITS = Decode()


def sine(dbfs: float, seconds: float, *, rate: int = 48000, hertz: float = 997, phase: float = 0) -> np.ndarray:
    """A tone whose peaks are at this level: what EBU Tech 3341 means by it."""
    t = np.arange(round(seconds * rate)) / rate
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * t + phase)).astype(np.float32)


def numbers(*channels: np.ndarray, rate: int, layout: str, at_once: int) -> np.ndarray:
    wave = np.stack(channels).astype(np.float32)
    meter = R128().begin(rate=rate, layout=layout)
    for at in range(0, wave.shape[1], at_once):
        meter.add(wave[:, at : at + at_once])
    return meter.end()


def measured(*channels: np.ndarray, rate: int = 48000, layout: str = "stereo", at_once: int | None = None) -> Values:
    found = numbers(*channels, rate=rate, layout=layout, at_once=at_once or rate)
    sound = Waveform(rate, layout, np.empty((len(channels), 0), np.float32), found)
    return Loudness().make(Clip({}, lambda _: pytest.fail("looked"), listen=lambda _: sound), NO_ENGINE)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("dbfs", [-23.0, -33.0])
def test_a_stereo_sine_reads_its_level(rate: int, dbfs: float) -> None:
    """EBU Tech 3341, cases 1 and 2."""
    tone = sine(dbfs, 3.2, rate=rate)
    values = measured(tone, tone, rate=rate)
    assert values["loudness"] == pytest.approx(dbfs, abs=0.1)
    assert values["loudness_range"] == pytest.approx(0, abs=0.1)
    assert values["true_peak"] == pytest.approx(dbfs, abs=0.1)
    assert (values["silence"], values["clipping"]) == (0, 0)
    alone = measured(tone, rate=rate, layout="mono")
    assert alone["loudness"] == pytest.approx(dbfs - 3.01, abs=0.1)


def test_what_is_quiet_is_gated() -> None:
    """EBU Tech 3341, case 4, in a fifth of the time."""
    levels = [(-72, 2), (-36, 2), (-23, 12), (-36, 2), (-72, 2)]
    tone = np.concatenate([sine(dbfs, seconds) for dbfs, seconds in levels])
    assert measured(tone, tone)["loudness"] == pytest.approx(-23, abs=0.2)


def test_surround_counts_more_and_the_subwoofer_not_at_all() -> None:
    """EBU Tech 3341, case 6."""
    left, centre, around, low = (sine(dbfs, 5) for dbfs in (-28, -24, -30, -3))
    assert measured(left, left, centre, low, around, around, layout="5.1(side)")["loudness"] == pytest.approx(
        -23, abs=0.1
    )


@pytest.mark.parametrize(("levels", "expected"), [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20)])
def test_range(levels: tuple[float, ...], expected: float) -> None:
    """EBU Tech 3342, cases 1 to 3, at 8 kHz."""
    tone = np.concatenate([sine(dbfs, 20, rate=8000, hertz=1000) for dbfs in levels])
    assert measured(tone, tone, rate=8000)["loudness_range"] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("seconds", [3.0, 3.1, 3.4, 4.0])
def test_range_of_a_short_even_tone_is_nothing(seconds: float) -> None:
    tone = sine(-20, seconds)
    assert measured(tone, tone)["loudness_range"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("divisor", "phase"), [(4, np.pi / 4), (6, np.pi / 3), (8, np.pi / 8)])
def test_the_true_peak_lies_between_samples(divisor: int, phase: float) -> None:
    """EBU Tech 3341, cases 15 to 18: +0.2 and -0.4 dB are allowed."""
    tone = sine(-6, 1, hertz=48000 / divisor, phase=phase)
    tone *= np.minimum(1, np.minimum(np.arange(48000), np.arange(48000)[::-1]) / 4800)  # it shall begin softly
    assert -6.4 <= measured(tone, tone)["true_peak"] <= -5.8


def k_weighted_loudness(wave: np.ndarray) -> float:
    """ITU-R BS.1770-5 at 48 kHz for mono and stereo, with the filters' coefficients as its tables have them."""
    size = wave.shape[1] + 48000
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    weighted = np.fft.irfft(np.fft.rfft(wave, size) * shelf * high_pass, size)[:, : wave.shape[1]]
    block, hop = 19200, 4800
    starts = range(0, wave.shape[1] - block + 1, hop)
    power = np.array([(weighted[:, at : at + block] ** 2).mean(axis=1).sum() for at in starts])
    levels = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    gate = -0.691 + 10 * np.log10(power[levels > -70].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[(levels > -70) & (levels > gate)].mean()))


@pytest.mark.parametrize("seed", range(4))
def test_the_standard_worked_out_another_way(seed: int) -> None:
    chance = np.random.default_rng(seed)
    steps = 10 ** (chance.uniform(-60, 0, 24) / 20)
    noise = chance.normal(0, 0.1, (2, 6 * 48000)).cumsum(axis=1) % 1 - 0.5
    wave = noise * np.repeat(steps, noise.shape[1] // 24)
    assert measured(*wave)["loudness"] == pytest.approx(k_weighted_loudness(wave), abs=0.05)


def test_digital_silence_is_at_the_gate() -> None:
    silent = np.zeros(5 * 48000, np.float32)
    assert measured(silent, silent) == {
        "loudness": -70.0,
        "loudness_range": None,
        "true_peak": None,
        "silence": 1.0,
        "clipping": 0.0,
    }


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.39])
def test_a_short_clip_has_no_loudness(seconds: float) -> None:
    tone = sine(-10, seconds)
    values = measured(tone, tone)
    assert (values["loudness"], values["loudness_range"], values["silence"]) == (None, None, 0)
    assert values["true_peak"] == pytest.approx(-10, abs=0.5)
    just = sine(-10, 0.4)
    assert measured(just, just)["loudness"] == pytest.approx(-10, abs=0.1)


def test_silence_is_what_no_channel_breaks() -> None:
    loud, faint, offset = sine(-20, 2), sine(-80, 2), np.full(96000, 0.01, np.float32)
    half = np.concatenate([loud[:48000], faint[48000:]])
    assert measured(half, half)["silence"] == 0.5
    assert measured(faint, half)["silence"] == 0.5
    assert measured(faint, loud)["silence"] == 0
    assert measured(offset, offset)["silence"] == 1
    ragged = half[: 48000 + 49000]
    assert measured(ragged, ragged)["silence"] == pytest.approx(0.5, abs=1e-3)


def test_clipping_is_a_share_of_samples() -> None:
    tone = sine(-3, 1)
    driven = np.clip(2 * tone, -1, 1)
    share = np.count_nonzero(np.abs(2 * tone) >= 1 - 2**-15) / tone.size
    assert measured(driven, driven)["clipping"] == pytest.approx(share, abs=1e-6)
    assert measured(driven, tone)["clipping"] == pytest.approx(share / 2, abs=1e-6)
    assert measured(sine(0, 1, hertz=50), tone)["clipping"] < 0.01


@settings(max_examples=40)
@given(
    dbfs=st.floats(-100, 0),
    seconds=st.floats(0.01, 1.0),
    appended=st.floats(0.06, 2.0),
    rate=st.sampled_from([8000, 11025, 44100]),
)
def test_appended_silence_makes_more_of_it(dbfs: float, seconds: float, appended: float, rate: int) -> None:
    tone = sine(dbfs, seconds, rate=rate)
    longer = np.concatenate([tone, np.zeros(round(appended * rate), np.float32)])
    before, after = (measured(wave, rate=rate, layout="mono")["silence"] for wave in (tone, longer))
    assert 0 <= before <= after <= 1
    assert after > 0


@settings(max_examples=20)
@given(at_once=st.integers(200, 48000))
def test_it_does_not_matter_how_the_sound_comes_in(at_once: int) -> None:
    wave = np.random.default_rng(2).normal(0, 0.3, 50_000) * np.linspace(0, 1, 50_000) ** 4
    whole, pieces = (measured(wave, wave, at_once=size) for size in (50_000, at_once))
    assert pieces == pytest.approx(whole, abs=0.011)


def test_wild_samples_give_numbers_or_nulls() -> None:
    wild = np.full(48000, 3e38, np.float32)
    wild[::2] *= -1
    values = measured(wild, wild)
    assert values["clipping"] == 1
    assert all(value is None or np.isfinite(value) for value in values.values())


@pytest.mark.parametrize(
    ("rate", "layout"),
    [
        (50, "mono"),
        (384000, "mono"),
        *((8000, layout) for layout in ("7.1", "16 channels", "ambisonic 1", "3 channels")),
    ],
)
def test_any_form_is_measured(rate: int, layout: str) -> None:
    import av

    channels = [sine(-20, 1, rate=rate)] * av.AudioLayout(layout).nb_channels
    assert set(measured(*channels, rate=rate, layout=layout)) == set(Loudness().adds())


def row_of(path: Path, start: float | None = None, end: float | None = None) -> Values:
    return {"clip_id": "a-0", "media": str(path), **probe(str(path), start=start, end=end, limits=LIMITS)}


def of_file(path: Path, start: float | None = None, end: float | None = None) -> Values:
    made = measure_clip(row_of(path, start, end), [("loudness", Loudness())], limits=LIMITS, media_folder=path.parent)
    assert made.rejection is None, made.rejection
    return dict(made.values["loudness"])


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        ("mov", "pcm_s16le", 44100),
        ("mp4", "aac", 48000),
        ("mkv", "libopus", 48000),
        ("mp4", "libmp3lame", 44100),
        ("mov", "pcm_s16le", 8000),
    ],
)
def test_a_second_of_a_file(with_sound: WithSound, tmp_path: Path, suffix: str, codec: str, rate: int) -> None:
    tone = np.concatenate([np.zeros(rate), sine(-23, 1, rate=rate), np.zeros(rate)])
    path = with_sound(tmp_path / f"a.{suffix}", np.stack([tone, tone]), rate=rate, codec=codec)
    within, before, all_of_it = of_file(path, 1.0, 2.0), of_file(path, 0.0, 0.9), of_file(path)
    lame_db = 0.45 if codec == "libmp3lame" else 0  # that it takes off, lest something clip
    assert within["loudness"] == pytest.approx(-23 - lame_db, abs=0.1)
    assert within["silence"] == 0
    assert (before["loudness"], before["silence"]) == (-70, 1)
    assert all_of_it["silence"] == pytest.approx(2 / 3, abs=0.03)


def test_a_surround_file(with_sound: WithSound, tmp_path: Path) -> None:
    left, centre, around, low = (sine(dbfs, 1) for dbfs in (-28, -24, -30, -3))
    wave = np.stack([left, left, centre, low, around, around])
    path = with_sound(tmp_path / "a.mkv", wave, layout="5.1(side)", codec="pcm_s16le")
    assert of_file(path)["loudness"] == pytest.approx(-23, abs=0.1)


def test_a_file_without_sound(encode: Callable[..., Path], moving: Callable[..., Any], tmp_path: Path) -> None:
    values = of_file(encode(tmp_path / "a.mp4", moving(10)))
    assert values == dict.fromkeys(Loudness().adds())
    assert Loudness(min=-30, max=-20, max_silence=0, max_clipping=0).verdict(values) is None
    rejection = Loudness(without="drop").verdict(values)
    assert rejection
    assert (rejection.reason, rejection.detail, rejection.option) == ("excluded", "no sound: without drop", "without")


class Twice(Loudness):
    """Another that hears the same."""


def test_sound_is_decoded_once_for_all_steps(
    with_sound: WithSound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def hear(*arguments: Any, **options: Any) -> Any:
        asked.append(options["samplings"])
        return real(*arguments, **options)

    real = work.hear
    monkeypatch.setattr(work, "hear", hear)
    path = with_sound(tmp_path / "a.mov", np.stack([sine(-23, 1)] * 2))
    steps: list[tuple[str, ClipStep]] = [("a", Loudness()), ("b", Twice())]
    made = measure_clip(row_of(path), steps, limits=LIMITS, media_folder=tmp_path)
    assert asked == [[LOUDNESS]]
    assert made.values["a"] == made.values["b"]


def test_without_a_file_there_is_no_sound_to_hear() -> None:
    with pytest.raises(ValueError, match="no media file at hand to hear"):
        Loudness().make(Clip({}, lambda _: pytest.fail("looked")), NO_ENGINE)


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"min": -20}, "loudness -23 < min -20"),
        ({"max": -30}, "loudness -23 > max -30"),
        ({"max_silence": 0.1}, "silence 0.25 > max_silence 0.1"),
        ({"max_clipping": 0.001}, "clipping 0.002 > max_clipping 0.001"),
        ({}, None),
        ({"min": -30, "max": -20, "max_silence": 0.5, "max_clipping": 0.01, "without": "drop"}, None),
    ],
)
def test_limits_name_their_option(options: dict[str, Any], detail: str | None) -> None:
    step = Loudness(**options)
    values = {"loudness": -23.0, "loudness_range": 3.0, "true_peak": -1.0, "silence": 0.25, "clipping": 0.002}
    rejection = step.verdict(values)
    assert (rejection and rejection.detail) == detail
    assert rejection is None or rejection.option in step.judging()
    assert step.identity() == {"version": 1, "use": "loudness"}


@pytest.mark.parametrize("wrong", [{"min": -20, "max": -30}, {"max_silence": 2}, {"min": 5}, {"without": "reject"}])
def test_wrong_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Loudness(**wrong)
