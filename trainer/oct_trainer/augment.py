"""Augmentation that the physics of OCT allows: mirror, tilt, shift, zoom, tone, speckle, JPEG; never upside down.

All geometry is one affine resampling a picture. Everything is drawn for each picture apart, and is a function of the
seed given with the batch alone, so that a training which goes on after an interruption sees the pictures it would have.
"""

from dataclasses import dataclass
from math import pi
from typing import Any, Literal

import tensorflow as tf


@dataclass(frozen=True)
class Augmentation:
    """How far each parameter may go, uniformly to both sides.

    `rotation` in degrees, `shift` and `zoom` as shares of the picture, `aspect` the share by which width and height are
    scaled against each other, `gain` the share by which brightness varies, `gamma` the logarithm of the exponent that
    grey values, as shares of white, are raised to, `black` the share of white by which the black level rises or sinks,
    `speckle` the largest standard deviation of the multiplicative noise, `jpeg` the lowest quality at which the picture
    is written again (100: as it is). `fill` is what comes in from outside: the nearest pixel, as in the article, or
    black, as preprocessing leaves a border.
    """

    rotation: float
    shift: float
    zoom: float = 0.0
    aspect: float = 0.0
    gain: float = 0.0
    gamma: float = 0.0
    black: float = 0.0
    speckle: float = 0.0
    jpeg: int = 100
    fill: Literal["nearest", "black"] = "nearest"


class _Draws:
    """Independent draws from one stateless seed, each call the next."""

    def __init__(self, seed: Any) -> None:
        self.seed = seed
        self.count = 0

    def uniform(self, shape: Any) -> Any:
        """float32 in -1..1."""
        return tf.random.stateless_uniform(shape, self.next_seed(), -1.0, 1.0)

    def normal(self, shape: Any) -> Any:
        return tf.random.stateless_normal(shape, self.next_seed())

    def next_seed(self) -> Any:
        self.count += 1
        return tf.random.fold_in(self.seed, self.count)


def augment(grey: Any, augmentation: Augmentation, seed: Any) -> Any:
    """uint8 grey `[n, h, w]` as augmented float32 `[n, h, w, 1]` in 0..255; `seed` is int32 or int64 `[2]`."""
    draws = _Draws(tf.convert_to_tensor(seed))
    x = grey[..., None]
    if augmentation.jpeg < 100:
        x = _written_again(x, augmentation.jpeg, draws)
    x = _moved(tf.cast(x, tf.float32), augmentation, draws)
    if augmentation.gain or augmentation.speckle:
        x = _shone_upon(x, augmentation, draws)
    if augmentation.gamma or augmentation.black:
        x = _toned(x, augmentation, draws)
    return x


def _written_again(x: Any, lowest: int, draws: _Draws) -> Any:
    seeds = tf.random.split(draws.next_seed(), tf.shape(x)[0])

    def write(picture_and_seed: Any) -> Any:
        picture, seed = picture_and_seed
        return tf.image.stateless_random_jpeg_quality(picture, lowest, 100, seed)

    return tf.map_fn(write, (x, seeds), fn_output_signature=tf.TensorSpec(x.shape[1:], tf.uint8))


def _moved(x: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    shape = tf.shape(x)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=_transforms(shape, augmentation, draws),
        output_shape=shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST" if augmentation.fill == "nearest" else "CONSTANT",
    )


def _transforms(shape: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    """Rows (a0, a1, a2, b0, b1, b2, 0, 0): output pixel (x, y) samples the input at (a0 x + a1 y + a2, …)."""
    n, size = shape[:1], tf.cast(shape[1:3], tf.float32)
    height, width = size[0], size[1]
    angle = draws.uniform(n) * (augmentation.rotation * pi / 180)
    mirror = tf.sign(draws.uniform(n))
    zoom = 1 + draws.uniform(n) * augmentation.zoom
    aspect = 1 + draws.uniform(n) * augmentation.aspect
    across, down = zoom * tf.sqrt(aspect), zoom / tf.sqrt(aspect)
    dx = draws.uniform(n) * augmentation.shift * width
    dy = draws.uniform(n) * augmentation.shift * height
    cos, sin = tf.cos(angle), tf.sin(angle)
    a0, a1, b0, b1 = mirror * cos * across, -sin * across, mirror * sin * down, cos * down
    cx, cy = (width - 1) / 2, (height - 1) / 2
    a2 = cx + dx - a0 * cx - a1 * cy
    b2 = cy + dy - b0 * cx - b1 * cy
    zero = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


def _shone_upon(x: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    each = tf.stack([tf.shape(x)[0], 1, 1, 1])
    gain = 1 + draws.uniform(each) * augmentation.gain
    noise = draws.normal(tf.shape(x)) * tf.abs(draws.uniform(each)) * augmentation.speckle
    return tf.clip_by_value(x * gain * (1 + noise), 0.0, 255.0)


def _toned(x: Any, augmentation: Augmentation, draws: _Draws) -> Any:
    """What the export does to grey values after the scanner: last, since no speckle is added to a picture on disk."""
    each = tf.stack([tf.shape(x)[0], 1, 1, 1])
    gamma = tf.exp(draws.uniform(each) * augmentation.gamma)
    black = draws.uniform(each) * augmentation.black * 255
    return tf.clip_by_value(255 * (x / 255) ** gamma + black, 0.0, 255.0)
