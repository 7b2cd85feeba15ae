"""What stays of a picture when it is re-encoded, resized, brightened or mirrored, in 2 kB.

The picture is reduced to 64 x 64 and transformed (DCT); the 32 x 32 lowest frequencies are kept. The signs of the
16 x 16 lowest are a hash of 255 bits. Above the 8 x 8 lowest, where all B-scans are alike (a bright band across a
dark picture), the coefficients tell one retina from another: by Parseval, their cosine is the correlation of the
band-passed pictures. A mirrored picture has the same coefficients with every odd horizontal frequency negated.
"""

import numpy as np
from PIL import Image

KEPT = 32
BITS = 255

_GRID = 64
_HASHED = 16
_ALIKE = 8
_MIRROR = np.where(np.arange(KEPT) % 2, -1, 1).astype(np.float32)


def fingerprint(pixels: np.ndarray) -> np.ndarray:
    """float16 `[32, 32]` of length one, without the mean; all zeros for a picture of one grey."""
    small = Image.fromarray(pixels).resize((_GRID, _GRID), Image.Resampling.BOX)
    coefficients = _BASIS @ np.asarray(small, np.float32) @ _BASIS.T
    coefficients[0, 0] = 0
    return (coefficients / max(float(np.linalg.norm(coefficients)), 1.0)).astype(np.float16)


def mirrored(prints: np.ndarray) -> np.ndarray:
    """The fingerprints `[n, 32, 32]` of the mirrored pictures."""
    return prints * _MIRROR


def signs(prints: np.ndarray) -> np.ndarray:
    """The hashes, float32 `[n, 255]` of -1 and 1: two of them differ in (255 - a @ b) / 2 bits."""
    lowest = prints[:, :_HASHED, :_HASHED].reshape(len(prints), -1)[:, 1:]
    return np.where(lowest > 0, 1, -1).astype(np.float32)


def details(prints: np.ndarray) -> np.ndarray:
    """float32 `[n, 1024]` of length one (or zero): the scalar product of two is their correlation."""
    kept = prints.astype(np.float32)
    kept[:, :_ALIKE, :_ALIKE] = 0
    kept = kept.reshape(len(prints), -1)
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-6)


def _basis() -> np.ndarray:
    frequency, place = np.arange(KEPT)[:, None], np.arange(_GRID)[None]
    basis = np.sqrt(2 / _GRID) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * _GRID))
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


_BASIS = _basis()
