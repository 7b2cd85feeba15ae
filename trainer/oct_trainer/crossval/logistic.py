"""The baseline: a class-balanced logistic regression on what a frozen ImageNet MobileNet sees.

It takes a minute, and a fine-tuned network that does not beat it has learnt nothing of its own. Features are averaged
over the scan and its mirror image; C=0.01 on standardised features.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from oct_trainer.dataset import DataSet
from oct_trainer.networks import NETWORKS
from oct_trainer.pictures import load_parts
from oct_trainer.predictions import FITTED_ON, Predictions
from oct_trainer.stream import channels
from oct_trainer.weights import apply_weights

LOGISTIC = "logistic"
_BATCH = 32


def answer_by_regression(fold: DataSet, weights: str) -> Predictions:
    """Fit on the fold's `train`, answer its `val`; `weights` is as in `apply_weights`."""
    parts = load_parts(fold.samples)
    model = NETWORKS["mobilenet"].build(scaling="symmetric")
    apply_weights(model, weights)
    seen = keras.Model(model.input, model.get_layer("embedding").output)
    features = {name: _features(seen, part.grey) for name, part in parts.items()}
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000))
    regression.fit(features["train"], parts["train"].labels)
    held_out = parts[FITTED_ON]
    names = np.array([sample.name(fold.root) for sample in held_out.samples])
    probabilities = regression.predict_proba(features[FITTED_ON])
    return Predictions(names, held_out.patients, held_out.labels, probabilities)


def _features(seen: keras.Model, grey: np.ndarray) -> np.ndarray:
    """float32 `[n, 1024]`."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def see(pixels: Any) -> Any:
        return (seen(pixels, training=False) + seen(pixels[:, :, ::-1], training=False)) / 2

    return np.concatenate([see(channels(grey[i : i + _BATCH, ..., None])).numpy() for i in range(0, len(grey), _BATCH)])
