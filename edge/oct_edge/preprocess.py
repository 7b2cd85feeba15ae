"""`Scan` to tensor. The only such function in the repository: trainer, converters and device all call it.

Three steps, on grey values that no arithmetic touches (rescaling is a layer inside the network):

1. White wedges and borders, which registration leaves around a scan, become black.
2. A window of the rows is cut out, centred on the retina: half of the height, or more where the retina needs more. The
   vitreous above and the choroid's shadow below tell nothing, and half the rows of a picture went to them.
3. The window is stretched to the network's square with an antialiased bilinear filter. B-scans come in several aspect
   ratios of the same retina (Spectralis exports 512, 768, 1024 or 1536 columns for 496 rows), so stretching is what
   makes them comparable.

Where in the picture the retina lies no longer shows. How many rows the picture has in all still does: the window is a
share of them, since a file does not say how many micrometres a row is.

A change here changes `PREPROCESSING`, and a model made with another one is refused.
"""

import numpy as np
from PIL import Image

from oct_edge.scan import Scan

PREPROCESSING = "retina-window-224@1"
SIZE = 224

WHITE = 250  # a registration's border is 255; JPEG leaves a little less of it
RINGING = 3  # pixels beside a border that JPEG brightens or darkens with it
SHARE = 0.5  # of the height, at least
ROOM = 1.2  # times the height of the retina, at least
_PROFILE = (64, 128)  # columns and rows on which the retina is looked for
_NEAR = 64  # pixels that a white border mostly stays below


def to_grey(scan: Scan) -> np.ndarray:
    """The network's picture before it is repeated to three channels: uint8 `[224, 224]`."""
    pixels = without_borders(scan.pixels)
    top, bottom = retina_window(pixels)
    box = (0.0, top, float(pixels.shape[1]), bottom)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box))


def to_tensor(scan: Scan) -> np.ndarray:
    """The model's input: uint8 `[1, 224, 224, 3]`, RGB with three equal channels, 0..255, C-contiguous."""
    return expand(to_grey(scan))


def expand(grey: np.ndarray) -> np.ndarray:
    """Grey uint8 `[224, 224]` as the tensor `[1, 224, 224, 3]`; data sets are kept grey, at a third of the size."""
    tensor = np.empty((1, SIZE, SIZE, 3), np.uint8)
    for channel in range(3):  # each by itself takes a quarter of the time that all at once take
        tensor[0, :, :, channel] = grey
    return tensor


def without_borders(pixels: np.ndarray) -> np.ndarray:
    """A copy of grey uint8 `[h, w]` with each run of white from an edge inwards, and `RINGING` pixels more, in black.

    A run is a row's or a column's. White that touches no edge stays, so all that a retina can lose is what is saturated
    right at the edge of the picture.
    """
    dark, cleared = pixels < WHITE, pixels.copy()
    for lines, are_dark in ((cleared, dark), (cleared.T, dark.T)):
        _blacken_starts(lines, are_dark)
        _blacken_starts(lines[:, ::-1], are_dark[:, ::-1])
    return cleared


def retina_window(pixels: np.ndarray) -> tuple[float, float]:
    """Top and bottom, in rows, of the window that `to_grey` shows of grey uint8 `[h, w]`; a blank one is shown whole.

    The retina is where the light is: between the 2nd and 98th percentile of what stands out over the darker 60 % of the
    picture, squared. Both figures, `SHARE` and `ROOM` were chosen by cross-validation, see docs/training.md.
    """
    small = np.asarray(Image.fromarray(pixels).resize(_PROFILE, Image.Resampling.BOX))
    background = np.float32(np.percentile(small, 60))  # of integers: of floats, numpy 1 and 2 round it differently
    light = (np.maximum(small.astype(np.float32) - background, 0) ** 2).sum(1)
    if not light.any():
        return 0.0, float(len(pixels))
    share = np.cumsum(light) / light.sum()
    top, bottom = np.interp((0.02, 0.98), share, np.arange(1, len(share) + 1)) / len(share)
    height = min(max(SHARE, ROOM * (bottom - top)), 1.0)
    start = min(max((top + bottom - height) / 2, 0.0), 1.0 - height)
    return float(start * len(pixels)), float((start + height) * len(pixels))


def _blacken_starts(lines: np.ndarray, dark: np.ndarray) -> None:
    """Blacken, in place, the run of white that a line begins with, and the ringing behind it."""
    begun = np.flatnonzero(~dark[:, 0])
    if len(begun):
        lost = _runs(dark, begun) + RINGING
        band = lines[begun, : lost.max()]
        band[np.arange(band.shape[1]) < lost[:, None]] = 0
        lines[begun, : lost.max()] = band


def _runs(dark: np.ndarray, begun: np.ndarray) -> np.ndarray:
    """How many pixels stay white of the lines that begin so: seldom more than `_NEAR`, so only those are read on."""
    runs = dark[begun, :_NEAR].argmax(1)
    far = runs == 0
    runs[far] = dark[begun[far]].argmax(1)
    runs[runs == 0] = dark.shape[1]
    return runs
