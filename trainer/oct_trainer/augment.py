"""Augmentation that the physics of OCT allows: mirror, tilt, shift, zoom, gain and speckle; never upside down.

All geometry is one affine resampling a picture; gain and speckle come after it, and so act on what came in from outside
too. Mirror, tilt, shift, zoom, gain and speckle are drawn for each picture, the colour of the wedges once a batch. All
are drawn from one generator, so a seed decides the whole training stream.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any, Literal

import tensorflow as tf


@dataclass(frozen=True)
class Augmentation:
    """How far each parameter may go, uniformly to both sides.

    `rotation` in degrees, `shift` and `zoom` as shares of the picture, `gain` as the share by which brightness varies,
    `speckle` the largest standard deviation of the multiplicative noise. `fill` is what comes in from outside: the
    nearest pixel, as in the article, or wedges as the registration of a scanner leaves them, but all black or all white
    within a batch, and with the gain and speckle of their picture.
    """

    rotation: float
    shift: float
    zoom: float = 0.0
    gain: float = 0.0
    speckle: float = 0.0
    fill: Literal["nearest", "wedges"] = "nearest"


def augmenter(augmentation: Augmentation, seed: int) -> Callable[[Any], Any]:
    """A function from uint8 grey `[n, h, w]` to augmented float32 `[n, h, w, 1]` in 0..255."""
    rng = tf.random.Generator.from_seed(seed)

    def augment(grey: Any) -> Any:
        x = tf.cast(grey[..., None], tf.float32)
        x = _moved(x, augmentation, rng)
        if augmentation.gain or augmentation.speckle:
            x = _shone_upon(x, augmentation, rng)
        return x

    return augment


def _moved(x: Any, augmentation: Augmentation, rng: Any) -> Any:
    shape = tf.shape(x)
    wedge = rng.uniform([], 0, 2, dtype=tf.int32) * 255
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=_transforms(shape, augmentation, rng),
        output_shape=shape[1:3],
        fill_value=tf.cast(wedge, tf.float32),
        interpolation="BILINEAR",
        fill_mode="NEAREST" if augmentation.fill == "nearest" else "CONSTANT",
    )


def _transforms(shape: Any, augmentation: Augmentation, rng: Any) -> Any:
    """Rows (a0, a1, a2, b0, b1, b2, 0, 0): output pixel (x, y) samples the input at (a0 x + a1 y + a2, …)."""
    n, size = shape[0], tf.cast(shape[1:3], tf.float32)
    height, width = size[0], size[1]
    angle = rng.uniform([n], -1, 1) * (augmentation.rotation * pi / 180)
    scale = 1 + rng.uniform([n], -1, 1) * augmentation.zoom
    mirror = tf.cast(rng.uniform([n], 0, 2, dtype=tf.int32) * 2 - 1, tf.float32)
    dx = rng.uniform([n], -1, 1) * augmentation.shift * width
    dy = rng.uniform([n], -1, 1) * augmentation.shift * height
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    a0, a1, b0, b1 = mirror * cos, -sin, mirror * sin, cos
    cx, cy = (width - 1) / 2, (height - 1) / 2
    a2 = cx + dx - a0 * cx - a1 * cy
    b2 = cy + dy - b0 * cx - b1 * cy
    zero = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


def _shone_upon(x: Any, augmentation: Augmentation, rng: Any) -> Any:
    each = [tf.shape(x)[0], 1, 1, 1]
    gain = 1 + rng.uniform(each, -1, 1) * augmentation.gain
    noise = rng.normal(tf.shape(x)) * rng.uniform(each, 0, 1) * augmentation.speckle
    return tf.clip_by_value(x * gain * (1 + noise), 0.0, 255.0)
