"""A few figures of the network's picture, which no network made: what it looks like from afar.

How bright each fourteenth of the rows is, which grey levels occur, how rough the picture is along rows and columns, and
how its light rises and falls from top to bottom. Each is a logarithm, so that their spread is alike.
"""

import numpy as np
from PIL import Image

from oct_edge.preprocess import SIZE

_SMALL, _BANDS = 28, 14
_PERCENTILES = np.array((2, 10, 25, 50, 75, 90, 98)) / 100


def features(grey: np.ndarray) -> np.ndarray:
    """float64 `[33]` for grey uint8 `[224, 224]`."""
    return features_both_ways(grey)[0]


def features_both_ways(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features of a picture, and of the same upside down."""
    picture = Image.fromarray(grey)
    small = np.asarray(picture.resize((_SMALL, _SMALL), Image.Resampling.BOX)).astype(np.float32)
    shared = [
        *_levels(picture),
        *_roughness(grey.astype(np.int16)),
        *_roughness(small),
        small.mean(0).std(),
        small.std(),
    ]
    upright, turned = (np.log1p([*_course(some), *shared]) for some in (small, small[::-1]))
    return upright, turned


def _course(small: np.ndarray) -> list[float]:
    """How the light goes from top to bottom."""
    steps = np.diff(small, axis=0)
    rise, fall = np.maximum(steps, 0).max(0).mean(), np.maximum(-steps, 0).max(0).mean()
    edges = [np.abs(np.diff(line.argmax(0))).mean() for line in (steps, small)]
    return [*small.mean(1).reshape(_BANDS, -1).mean(1), rise, fall, *edges, small[:4].mean(), small[-4:].mean()]


def _levels(picture: Image.Image) -> np.ndarray:
    return np.searchsorted(np.cumsum(picture.histogram()), _PERCENTILES * SIZE * SIZE)


def _roughness(values: np.ndarray) -> tuple[float, float]:
    """Mean of the steps between neighbours, down and across."""
    down, across = np.abs(values[1:] - values[:-1]), np.abs(values[:, 1:] - values[:, :-1])
    return float(down.mean()), float(across.mean())
