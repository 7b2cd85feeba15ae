"""Is it a whole picture with something in it? Checks that need no model, on the pixels as they were read.

A JPEG with bit errors in its middle decodes without a word: from there on blocks are shifted and a wrong brightness is
added to all of them. What shows it is the jump at a row of blocks, which is larger than the jumps around it.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from oct_edge.preprocess import WHITE, without_borders
from oct_edge.result import Reason

_BLOCK = 8  # rows and columns that a JPEG codes together
_BESIDE = (-4, -3, -2, 2, 3, 4)  # rows from a border between blocks, to compare with
_FEWEST = 8  # blocks side by side without a white border: of fewer nothing is said

_EXPORT_AGAIN = "Export the whole B-scan from the OCT device, without page, frame or zoom."
_COPY_AGAIN = "Copy it again from the device; the original was left where it is."


@dataclass(frozen=True)
class PixelLimits:
    """What pixels have to keep to.

    Of 759 training scans of OCT2017 (Kermany 2018): sides 496 to 1536, width 0.77 to 3.1 times the height, 56 to 223
    grey levels between the 1st and 99th percentile, 5.0 to 7.5 bits, up to 0.3 % of white that is no border, and jumps
    between blocks of up to 2.2 times those beside them.
    """

    min_side: int = 100  # pixels
    min_aspect: float = 0.5  # width over height
    max_aspect: float = 5.0
    min_spread: float = 30.0  # grey levels
    min_entropy: float = 3.5  # bits a pixel
    max_white: float = 0.1  # share of the pixels
    max_seam: float = 2.3  # times


def check_pixels(pixels: np.ndarray, limits: PixelLimits) -> Reason | None:
    """What speaks against naming a class for grey uint8 `[h, w]`, None if nothing does."""
    height, width = pixels.shape
    if min(height, width) < limits.min_side:
        return Reason(
            "too_small",
            f"{width} x {height} pixels; a B-scan has {limits.min_side} or more either way.",
            _EXPORT_AGAIN,
        )
    if not limits.min_aspect <= width / height <= limits.max_aspect:
        return Reason("wrong_aspect", f"{width} x {height} pixels is not the shape of a B-scan.", _EXPORT_AGAIN)
    counts = np.array(Image.fromarray(pixels).histogram())
    spread, entropy = _spread(counts[:WHITE]), _entropy(counts)
    if spread < limits.min_spread or entropy < limits.min_entropy:
        said = f"there is next to nothing in the picture ({spread:.0f} grey levels, {entropy:.1f} bits a pixel)."
        return Reason("blank", said, _EXPORT_AGAIN)
    if counts[WHITE:].sum() > limits.max_white * pixels.size:
        white = float((without_borders(pixels) >= WHITE).mean())
        if white > limits.max_white:
            return Reason("saturated", f"{white:.0%} of the picture are white.", _EXPORT_AGAIN)
    seam, row = largest_seam(pixels)
    if seam > limits.max_seam:
        said = f"the picture is torn at row {row}: the file was damaged on its way."
        return Reason("torn", said, _COPY_AGAIN)
    return None


def largest_seam(pixels: np.ndarray) -> tuple[float, int]:
    """By how much the largest jump between two rows of blocks exceeds those beside it, and its row.

    Compared are means of eight pixels side by side, where none is white; one grey level is added to what is divided by.
    """
    rows, width = len(pixels), pixels.shape[1] // _BLOCK
    picture = Image.fromarray(pixels[:, : width * _BLOCK])
    means = np.asarray(picture.reduce((_BLOCK, 1))).astype(np.int16)
    white = np.asarray(picture.point(_IS_WHITE).reduce((_BLOCK, 1))) > 0
    jumps, clear = np.abs(means[1:] - means[:-1]), ~(white[1:] | white[:-1])
    places = np.arange(_BLOCK, rows - _BLOCK // 2, _BLOCK) - 1
    counted = clear[places] & np.logical_and.reduce([clear[places + offset] for offset in _BESIDE])
    beside = sum(jumps[places + offset] for offset in _BESIDE) / len(_BESIDE)
    blocks = counted.sum(1)
    at, near = ((values * counted).sum(1) / np.maximum(blocks, 1) for values in (jumps[places], beside))
    ratios = np.where(blocks >= _FEWEST, at / (near + 1), 0.0)
    worst = int(ratios.argmax())
    return float(ratios[worst]), int(places[worst] + 1)


_IS_WHITE = [255 if level >= WHITE else 0 for level in range(256)]


def _spread(counts: np.ndarray) -> float:
    """Grey levels between the 1st and 99th percentile of a histogram."""
    total = counts.sum()
    if not total:
        return 0.0
    low, high = np.searchsorted(np.cumsum(counts), (0.01 * total, 0.99 * total))
    return float(high - low)


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
