"""Colours as an SDR screen shows them (BT.709): HDR tone-mapped, wide gamuts brought in.

Everything between is light: 1.0 is SDR white, which HDR has at 203 cd/m2 (ITU-R BT.2408).

- PQ and HLG become light by the formulas of ITU-R BT.2100, both that of a screen of 1,000 cd/m2: PQ is cut off there,
  HLG has a system gamma of 1.2. SDR becomes light by a screen's gamma of 2.4 (BT.1886), and light is written so.
- Primaries of BT.2020 or P3 become those of BT.709; what lies outside their gamut is cut off at its edge.
- In HDR the largest of red, green and blue goes through the curve of ITU-R BT.2390 (EETF, on PQ's scale), from 1,000
  cd/m2 to SDR white, and the others with it, so that hues stay. Up to 86 cd/m2 light stays as it is; 203, where HDR has
  its SDR white, becomes 0.77 of it (level 229); 1,000 and more becomes white.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from ..contract.errors import ClipError, Reason
from ..contract.frames import Images

_Light = npt.NDArray[np.float32]

BITS = 12
"""Of the RGB that is given to `to_sdr`."""

_PQ, _HLG = 16, 18
_TRANSFERS = {  # AVColorTransferCharacteristic
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", _PQ: "smpte2084",
    17: "smpte428", _HLG: "arib-std-b67",
}  # fmt: skip

_UNREAD = {  # AVColorSpace: swscale has no formula for them
    3: "reserved", 8: "ycgco", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c",
    14: "ictcp", 15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip

_UNKNOWN, _BT2020, _P3 = 2, 9, 12  # AVColorPrimaries
_PRIMARIES = {  # x and y of red, green and blue; white is D65
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    _BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    _P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_WHITE, _PEAK, _PQ_PEAK = 203.0, 1000.0, 10_000.0  # cd/m2
_GAMMA, _HLG_GAMMA = 2.4, 1.2
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # of HLG


def check_matrix(frame: VideoFrame) -> None:
    """Raises ClipError (refused) for a colour matrix that cannot be undone: its colours would be wrong."""
    if frame.colorspace in _UNREAD:
        raise ClipError(Reason.REFUSED, f"its colour matrix is {_UNREAD[frame.colorspace]}, which is not read")


def transfer_of(frame: VideoFrame) -> str | None:
    """FFmpeg's name of the transfer function; None where the file does not say."""
    return _TRANSFERS.get(frame.color_trc)


def needs_mapping(frame: VideoFrame) -> bool:
    """Whether its RGB is not what an SDR screen shows."""
    return frame.color_trc in (_PQ, _HLG) or frame.color_primaries in (_BT2020, _P3)


def to_sdr(codes: npt.NDArray[np.uint16], *, transfer: int, primaries: int) -> Images:
    """RGB (h, w, 3) of BITS bits by FFmpeg's numbers of transfer and primaries, as RGB of 8 bits on an SDR screen."""
    hdr = transfer in (_PQ, _HLG)
    if primaries == _UNKNOWN and hdr:
        primaries = _BT2020
    light = _linear(transfer)[codes]
    if transfer == _HLG:
        scene = light @ _luminance(_BT2020)
        light *= (scene ** (_HLG_GAMMA - 1) * (_PEAK / _WHITE))[..., None]
    light = np.maximum(light @ _to_bt709(primaries), 0)
    if hdr:
        largest = light.max(axis=-1)
        light *= np.interp(largest, *_curve()).astype(np.float32)[..., None]
    levels = np.minimum(light, 1) ** np.float32(1 / _GAMMA) * 255 + 0.5
    return np.asarray(levels, np.uint8)


@functools.cache
def _linear(transfer: int) -> _Light:
    """Light of every code; that of HLG is the scene's, from 0 to 1."""
    code = np.linspace(0, 1, 2**BITS)
    if transfer == _PQ:
        light = np.minimum(_pq_to_light(code), _PEAK / _WHITE)
    elif transfer == _HLG:
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)
    else:
        light = code**_GAMMA
    return light.astype(np.float32)


@functools.cache
def _curve() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Light, and what it is multiplied by."""
    light = np.linspace(1e-6, (_PQ_PEAK / _WHITE) ** 0.5, 4096) ** 2
    peak = _light_to_pq(np.array(_PEAK / _WHITE))
    top = _light_to_pq(np.array(1.0)) / peak
    knee = 1.5 * top - 0.5
    code = np.minimum(_light_to_pq(light) / peak, 1)
    t = (code - knee) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    return light, _pq_to_light(np.where(code < knee, code, bent) * peak) / light


def _pq_to_light(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    power = code ** (1 / _M2)
    light = np.maximum(power - _C1, 0) / (_C2 - _C3 * power)
    return np.asarray(light ** (1 / _M1) * (_PQ_PEAK / _WHITE))


def _light_to_pq(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    power = (light * (_WHITE / _PQ_PEAK)) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


@functools.cache
def _to_bt709(primaries: int) -> _Light:
    """What rows of RGB are multiplied by; nothing is changed where the primaries are unknown."""
    return (_to_xyz(primaries) @ np.linalg.inv(_to_xyz(1))).astype(np.float32)


@functools.cache
def _luminance(primaries: int) -> _Light:
    return _to_xyz(primaries)[:, 1].astype(np.float32)


def _to_xyz(primaries: int) -> npt.NDArray[np.float64]:
    """Rows of RGB to rows of XYZ (SMPTE RP 177)."""
    points = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES.get(primaries, _PRIMARIES[1])])
    white = np.array((_D65[0] / _D65[1], 1, (1 - _D65[0] - _D65[1]) / _D65[1]))
    return np.asarray(np.linalg.solve(points.T, white)[:, None] * points)
