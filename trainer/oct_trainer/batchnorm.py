"""Give batch norms back to a base whose normalisation was folded into its convolutions.

Weights that come from a quantised model have gamma 1, mean 0, variance 1: the layers are there and do nothing, and
fine-tuning such a base diverges. Measured on training scans, each layer gets the mean and variance of its own input,
with gamma and beta set so that the network computes the same function as before; from there it trains like any other.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_trainer.weights import base_of

RESTORE_SCANS = 256


def restore_batch_norms(base: keras.Model, inputs: np.ndarray, batch: int = 16) -> int:
    """Re-parametrise every batch norm of `base` in place; returns how many.

    `inputs` is float32 `[n, h, w, 3]` as `base` sees it (already rescaled). The function of the network in inference
    mode is unchanged up to rounding (about 3e-5 of its output).
    """
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    probe = keras.Model(base.input, [layer.input for layer in norms])
    for layer, (mean, variance) in zip(norms, _moments(probe, inputs, batch), strict=True):
        _reparametrise(layer, mean, variance)
    return len(norms)


def open_base(model: keras.Model, grey: np.ndarray) -> None:
    """Make the pre-trained base trainable, with batch norms that hold the statistics of `grey`, uint8 `[n, 224, 224]`.

    Does nothing where there is no pre-trained base.
    """
    base = base_of(model)
    if base is None:
        return
    chosen = grey[np.random.default_rng(0).permutation(len(grey))[:RESTORE_SCANS]]
    rescaled = keras.Model(model.input, model.get_layer("rescaling").output)
    restore_batch_norms(base, np.asarray(rescaled(np.repeat(chosen[..., None], 3, axis=3).astype(np.float32))))
    base.trainable = True


def set_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of the running statistics of every batch norm of `model`, nested models included."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum


def _moments(probe: keras.Model, inputs: np.ndarray, batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance a channel of each of the probe's outputs, over all inputs."""

    @tf.function  # type: ignore[untyped-decorator]
    def sums(x: Any) -> Any:
        axes = (0, 1, 2)
        return [(tf.reduce_mean(y, axes), tf.reduce_mean(y * y, axes)) for y in probe(x, training=False)]

    batches = [inputs[i : i + batch] for i in range(0, len(inputs), batch)]
    shares = np.array([len(b) / len(inputs) for b in batches])
    measured = [sums(tf.constant(b)) for b in batches]
    moments = []
    for k in range(len(measured[0])):
        mean = sum(s * m[k][0].numpy() for s, m in zip(shares, measured, strict=True))
        square = sum(s * m[k][1].numpy() for s, m in zip(shares, measured, strict=True))
        moments.append((mean, np.maximum(square - mean**2, 0)))
    return moments


def _reparametrise(layer: Any, mean: np.ndarray, variance: np.ndarray) -> None:
    gamma, beta, old_mean, old_variance = layer.get_weights()
    slope = gamma / np.sqrt(old_variance + layer.epsilon)
    # A channel that is dead on these scans would get a gamma near zero and never wake: it keeps a unit of variance.
    variance = np.where(variance > 1e-6, variance, old_variance)
    layer.set_weights([slope * np.sqrt(variance + layer.epsilon), beta + slope * (mean - old_mean), mean, variance])
