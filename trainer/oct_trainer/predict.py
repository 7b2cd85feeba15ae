"""A model answers scans: the same way in training, in evaluation and in cross-validation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.labels import LABELS
from oct_edge.preprocess import expand
from oct_trainer.pictures import Pictures
from oct_trainer.predictions import Predictions

_BATCH = 32


def predict(
    model: keras.Model, pictures: Pictures, root: Path, on_progress: Callable[[int, int], None] | None = None
) -> Predictions:
    """The model's answers to the scans, whose paths are told relative to `root`."""
    paths = [sample.name(root) for sample in pictures.samples]
    scores = scores_of(model, pictures.grey, on_progress)
    return Predictions(np.array(paths), pictures.patients, pictures.labels, scores)


def scores_of(
    model: keras.Model, grey: np.ndarray, on_progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Probabilities, float64 `[n, 4]`, for pictures uint8 `[n, 224, 224]`, unrounded from the model's float32.

    Not by Keras' `predict`, which compiles with XLA unless the model was compiled without it: on a processor that is
    two to five times slower.
    """

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def answer(pixels: Any) -> Any:
        return model(pixels, training=False)

    scores = np.empty((len(grey), len(LABELS)))
    for start in range(0, len(grey), _BATCH):
        chunk = grey[start : start + _BATCH]
        scores[start : start + len(chunk)] = answer(_pixels(chunk)).numpy()
        if on_progress:
            on_progress(start + len(chunk), len(grey))
    return scores


def _pixels(grey: np.ndarray) -> Any:
    return tf.constant(np.concatenate([expand(picture) for picture in grey]).astype(np.float32))
