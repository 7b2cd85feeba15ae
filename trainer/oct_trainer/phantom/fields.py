"""Random fields, the raw material of a phantom: generators that never share a stream, smooth noise along a
line or over a picture, and the fine grain that speckle and detector noise are made of. Only additions,
multiplications and square roots touch whole pictures, so that two machines agree to the last grey level.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
"""Values along the columns of a scan, float32 [W], or over its pixels, float32 [H, W]."""


class Stream(IntEnum):
    """What a generator is for. A draw more in one stream leaves every other stream as it was."""

    EYE = 1
    FRAME = 2
    SIGN = 3
    TEXTURE = 4
    OPTICS = 5
    WEDGES = 6
    PATIENTS = 7
    FILE = 8


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """The generator of one purpose of one phantom."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(stream)])))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability. Always draws once, so that streams stay aligned."""
    return bool(rng.random() < probability)


def wander(rng: np.random.Generator, width: int, cell: float) -> Field:
    """Smooth noise along a line, float32 [W], about unit variance, with features of `cell` pixels."""
    coarse = rng.standard_normal(int(width / cell) + 4)
    return _normalised(_spline(coarse.astype(np.float32)[:, None], width, cell)[:, 0])


def clouds(rng: np.random.Generator, height: int, width: int, cell: float) -> Field:
    """Smooth noise over a picture, float32 [H, W], about unit variance, with features of `cell` pixels."""
    shape = (int(height / cell) + 4, int(width / cell) + 4)
    coarse = rng.standard_normal(shape, dtype=np.float32)
    across = np.ascontiguousarray(_spline(np.ascontiguousarray(coarse.T), width, cell).T)
    return _normalised(_normalised(_spline(across, height, cell)))


def grain(rng: np.random.Generator, height: int, width: int) -> Field:
    """Fine noise, float32 [H, W], unit variance, correlated between neighbours as in averaged B-scans."""
    raw = rng.standard_normal((height + 2, width + 2), dtype=np.float32)
    across = raw[:, :-2] + raw[:, 2:]
    across += 2 * raw[:, 1:-1]
    both: Field = across[:-2] + across[2:]
    both += 2 * across[1:-1]
    both *= np.float32(1 / 6)
    return both


def smooth(line: Field, window: int) -> Field:
    """A running mean over `window` columns, taken as two of half the window so that its corners are round."""
    half = max(window // 2, 1)
    kernel = np.convolve(np.ones(half), np.ones(half)) / half**2
    padded = np.pad(line, (half - 1, half - 1), mode="edge")
    return np.convolve(padded, kernel, mode="valid").astype(np.float32)


def _spline(coarse: Field, length: int, cell: float) -> Field:
    """Cubic B-spline interpolation of `coarse` along its first axis, to `length` samples `cell` to a knot."""
    place = np.arange(length) / cell
    knot = place.astype(np.intp)
    t = (place - knot).astype(np.float32)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    total = weights[0] * coarse[knot]
    for offset in (1, 2, 3):
        total += weights[offset] * coarse[knot + offset]
    return total * np.float32(1 / 6)


def _normalised(field: Field) -> Field:
    """Makes up for the variance that one axis of spline smoothing takes away (to 0.48 of it, on average)."""
    return field * np.float32(1 / 0.69)
