"""Bring the channels of a network to like ranges, without changing what it computes.

An int8 activation has one scale for all its channels. Where a batch norm stands behind a ReLU, as in the article's own
networks, it cannot be folded into the convolution, and channels of very different range share that scale: most of them
are left with a few steps. A convolution's outputs can be divided by any positive factors if the batch norm multiplies
them back (ReLU is positively homogeneous), and a batch norm's outputs if the next layer's weights do. The first factor
is the channel's largest value on the calibration scans; the second balances activations against weights, so that
neither loses its resolution to the other (cross-layer equalisation, Nagel et al. 2019, with measured activations).
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

_BATCH = 16


@dataclass(frozen=True)
class Block:
    """Convolution with ReLU, the batch norm behind it, and the next layer that has weights."""

    convolution: Any
    norm: Any
    following: Any


def equalize(model: keras.Model, grey: np.ndarray) -> int:
    """Rescale `model` in place on scans uint8 `[n, 224, 224]`; returns how many batch norms were behind a ReLU."""
    blocks = find_blocks(model)
    if not blocks:
        return 0
    outputs = [layer.output for block in blocks for layer in (block.convolution, block.norm)]
    ranges = _ranges(keras.Model(model.input, outputs), grey)
    for block, before, after in zip(blocks, ranges[::2], ranges[1::2], strict=True):
        _rescale(block, before, after)
    return len(blocks)


def find_blocks(model: keras.Model) -> list[Block]:
    """The batch norms of `model` that stand behind a ReLU, with their neighbours."""
    weighted = [layer for layer in model.layers if layer.weights]
    triples = zip(weighted, weighted[1:], weighted[2:], strict=False)
    return [Block(a, b, c) for a, b, c in triples if _is_relu_convolution(a) and _is_norm(b)]


def _is_relu_convolution(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Conv2D) and layer.activation is keras.activations.relu


def _is_norm(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _ranges(probe: keras.Model, grey: np.ndarray) -> list[np.ndarray]:
    """The largest magnitude of every channel of every output; 1 for a channel that is always 0."""
    largest: list[np.ndarray] | None = None
    for start in range(0, len(grey), _BATCH):
        pixels = np.repeat(grey[start : start + _BATCH, :, :, None], 3, axis=3).astype(np.float32)
        found = [np.abs(np.asarray(out)).max(axis=(0, 1, 2)) for out in probe(pixels, training=False)]
        largest = found if largest is None else [np.maximum(a, b) for a, b in zip(largest, found, strict=True)]
    assert largest is not None
    return [np.where(channel > 0, channel, 1) for channel in largest]


def _rescale(block: Block, before: np.ndarray, after: np.ndarray) -> None:
    kernel, bias = block.convolution.get_weights()
    gamma, beta, mean, variance = block.norm.get_weights()
    following, *rest = block.following.get_weights()
    after = np.sqrt(after / _input_ranges(following))
    block.convolution.set_weights([kernel / before, bias / before])
    block.norm.set_weights([gamma * before / after, beta / after, mean / before, variance])
    block.following.set_weights([following * after[:, None], *rest])


def _input_ranges(kernel: np.ndarray) -> np.ndarray:
    """The largest weight of every input channel, which is the last axis but one of convolution and dense kernels."""
    largest = np.abs(kernel).max(axis=tuple(axis for axis in range(kernel.ndim) if axis != kernel.ndim - 2))
    return np.where(largest > 0, largest, 1)
