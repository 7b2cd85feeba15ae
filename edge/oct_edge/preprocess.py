"""`Scan` to tensor. The only such function in the repository: trainer, converters and device all call it.

The picture is stretched to the network's square with an antialiased bilinear filter, as grey, and only then repeated
to three channels; there is no arithmetic on the values (rescaling is a layer inside the network). B-scans come in
several aspect ratios of the same retina (Spectralis exports 512, 768, 1024 or 1536 columns for 496 rows), so stretching
is what makes them comparable. A change here changes `PREPROCESSING`, and a model made with another one is refused.
"""

import numpy as np
from PIL import Image

from oct_edge.scan import Scan

PREPROCESSING = "stretch-bilinear-224@1"
SIZE = 224


def to_grey(scan: Scan) -> np.ndarray:
    """The network's picture before it is repeated to three channels: uint8 `[224, 224]`."""
    if scan.pixels.shape == (SIZE, SIZE):
        return scan.pixels
    return np.asarray(Image.fromarray(scan.pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def to_tensor(scan: Scan) -> np.ndarray:
    """The model's input: uint8 `[1, 224, 224, 3]`, RGB with three equal channels, 0..255, C-contiguous."""
    return expand(to_grey(scan))


def expand(grey: np.ndarray) -> np.ndarray:
    """Grey uint8 `[224, 224]` as the tensor `[1, 224, 224, 3]`; data sets are kept grey, at a third of the size."""
    return np.ascontiguousarray(np.broadcast_to(grey[None, :, :, None], (1, SIZE, SIZE, 3)))
