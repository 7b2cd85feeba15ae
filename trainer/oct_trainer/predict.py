"""A model answers scans: the same way in training, in evaluation and in cross-validation."""

from pathlib import Path

import keras
import numpy as np

from oct_edge.preprocess import expand
from oct_trainer.pictures import Pictures
from oct_trainer.predictions import Predictions

_CHUNK = 128  # scans as float32 pixels in memory at a time, 600 kB each
_BATCH = 32


def predict(model: keras.Model, pictures: Pictures, root: Path) -> Predictions:
    """The model's answers to the scans, whose paths are told relative to `root`."""
    paths = [sample.name(root) for sample in pictures.samples]
    return Predictions(np.array(paths), pictures.patients, pictures.labels, scores_of(model, pictures.grey))


def scores_of(model: keras.Model, grey: np.ndarray) -> np.ndarray:
    """Probabilities, float64 `[n, 4]`, for pictures uint8 `[n, 224, 224]`; each row sums to 1."""
    chunks = [grey[start : start + _CHUNK] for start in range(0, len(grey), _CHUNK)]
    scores = np.concatenate([model.predict(_pixels(chunk), batch_size=_BATCH, verbose=0) for chunk in chunks])
    return scores.astype(np.float64) / scores.sum(1, keepdims=True, dtype=np.float64)


def _pixels(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([expand(picture) for picture in grey]).astype(np.float32)
