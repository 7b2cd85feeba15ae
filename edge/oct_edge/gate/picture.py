"""A few figures of the network's picture, which no network made: what it looks like from afar.

How bright each sixteenth of the rows is, which grey levels occur, how rough the picture is along rows and columns, and
how its light rises and falls from top to bottom. Each is a logarithm, so that their spread is alike.
"""

import numpy as np
from PIL import Image

from oct_edge.preprocess import SIZE

_BANDS, _SMALL = 16, 28
_PERCENTILES = (2, 10, 25, 50, 75, 90, 98)


def features(grey: np.ndarray) -> np.ndarray:
    """float64 `[35]` for grey uint8 `[224, 224]`."""
    return _features(grey, _shared(grey))


def features_both_ways(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features of a picture, and of the same upside down."""
    shared = _shared(grey)
    return _features(grey, shared), _features(grey[::-1], shared)


def _features(grey: np.ndarray, shared: list[float]) -> np.ndarray:
    bands = grey.reshape(_BANDS, -1).mean(1)
    small = np.asarray(Image.fromarray(grey).resize((_SMALL, _SMALL), Image.Resampling.BOX)).astype(np.float32)
    steps = np.diff(small, axis=0)
    rise, fall = np.maximum(steps, 0).max(0).mean(), np.maximum(-steps, 0).max(0).mean()
    edges = [np.abs(np.diff(line.argmax(0))).mean() for line in (steps, small)]
    return np.log1p([*bands, *shared, rise, fall, *edges, small[:4].mean(), small[-4:].mean()])


def _shared(grey: np.ndarray) -> list[float]:
    """What is the same upside down."""
    below = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    levels = np.searchsorted(below, np.array(_PERCENTILES) / 100 * SIZE * SIZE)
    small = np.asarray(Image.fromarray(grey).resize((_SMALL, _SMALL), Image.Resampling.BOX)).astype(np.float32)
    rough = [np.abs(np.diff(some, axis=axis)).mean() for some in (grey.astype(np.int16), small) for axis in (0, 1)]
    return [*levels.tolist(), *map(float, rough), float(small.mean(0).std()), float(small.std())]
