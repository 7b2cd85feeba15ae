"""A model answers scans: the same way in training, in evaluation and in cross-validation."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.preprocess import expand
from oct_trainer.pictures import Pictures
from oct_trainer.predictions import Predictions

_BATCH = 32


def predict(model: keras.Model, pictures: Pictures, root: Path) -> Predictions:
    """The model's answers to the scans, whose paths are told relative to `root`."""
    paths = [sample.name(root) for sample in pictures.samples]
    return Predictions(np.array(paths), pictures.patients, pictures.labels, scores_of(model, pictures.grey))


def scores_of(model: keras.Model, grey: np.ndarray) -> np.ndarray:
    """Probabilities, float64 `[n, 4]`, for pictures uint8 `[n, 224, 224]`; each row sums to 1.

    Not by Keras' `predict`, which compiles with XLA unless the model was compiled without it: on a processor that is
    two to five times slower.
    """

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def answer(pixels: Any) -> Any:
        return model(pixels, training=False)

    chunks = [grey[start : start + _BATCH] for start in range(0, len(grey), _BATCH)]
    scores = np.concatenate([answer(_pixels(chunk)).numpy() for chunk in chunks])
    return scores.astype(np.float64) / scores.sum(1, keepdims=True, dtype=np.float64)


def _pixels(grey: np.ndarray) -> Any:
    return tf.constant(np.concatenate([expand(picture) for picture in grey]).astype(np.float32))
