"""Give a batch norm that cannot be folded an integer form that keeps its precision.

Behind a ReLU, a batch norm cannot be folded into the convolution before it, and the converter makes a MUL and an ADD of
it, each with one scale for all channels: a channel of small gain is multiplied by a factor of a few steps, and the sum
cancels most of what is left. The same function as a depthwise 1x1 convolution has a scale a channel and a bias of 32
bits, is rounded once, and is one operator.
"""

from typing import Any

import keras
import numpy as np

from oct_converters.clone import rebuilt
from oct_converters.equalize import find_blocks


class _Norm(keras.layers.DepthwiseConv2D):
    """One factor and one bias a channel."""

    def call(self, inputs: Any, mask: Any = None) -> Any:  # Keras passes the mask on that it passed to the batch norm
        return super().call(inputs)


def norms_as_convolutions(model: keras.Model) -> keras.Model:
    """The same function with every batch norm that stands behind a ReLU as a depthwise convolution; `model` is kept."""
    norms = {block.norm.name for block in find_blocks(model)}

    def instead(layer: Any) -> tuple[Any, list[np.ndarray]] | None:
        return (_Norm(1, name=layer.name), _as_kernel(layer)) if layer.name in norms else None

    return rebuilt(model, instead) if norms else model


def _as_kernel(norm: Any) -> list[np.ndarray]:
    gamma, beta, mean, variance = norm.get_weights()
    slope = gamma / np.sqrt(variance + norm.epsilon)
    return [slope[None, None, :, None], beta - mean * slope]
