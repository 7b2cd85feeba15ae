"""Pictures as batches for Keras, and the order in which a training sees them.

A training batch is a function of the seed and its place in the training, of nothing else: the shuffle is drawn from
(seed, epoch), the augmentation from (seed, step). So a training can be taken up again at the start of any epoch and see
exactly what it would have seen without the interruption.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from oct_edge.labels import LABELS
from oct_trainer.augment import augment
from oct_trainer.pictures import Pictures
from oct_trainer.recipes import Recipe

BATCH = 32  # of a validation or a prediction


def steps_per_epoch(scans: int, recipe: Recipe) -> int:
    return -(-scans // recipe.batch)


def training_stream(
    pictures: Pictures,
    recipe: Recipe,
    seed: int,
    first_epoch: int = 0,
    show: Callable[[Any, Any], Any] | None = None,
    *,
    replicas: int = 1,
) -> Any:
    """Endlessly, from `first_epoch`: what the network is shown, one-hot labels, sample weights.

    `show` makes the first of these from the places of the scans in `pictures` and the step in the training; without it
    they are augmented pixels, float32 `[b, s, s, 3]` in 0..255.

    The last batch of an epoch is what is left; where `replicas` share it, it is filled up from the start of the epoch:
    Keras wants shares of one size, and an empty one would make NaN of a mean.
    """
    scans = len(pictures.grey)
    steps = steps_per_epoch(scans, recipe)
    show = show or _augmented(pictures, recipe, seed)
    labels, weights = on_host(_one_hot(pictures)), on_host(sample_weights(pictures, recipe))

    def batch_at(step: Any) -> Any:
        start = tf.cast(step % steps, tf.int32) * recipe.batch
        size = recipe.batch if replicas > 1 else tf.minimum(recipe.batch, scans - start)
        chosen = tf.gather(_order(scans, seed, step // steps), (start + tf.range(size)) % scans)
        return show(chosen, step), tf.gather(labels, chosen), tf.gather(weights, chosen)

    places = tf.data.Dataset.counter(first_epoch * steps)
    return places.map(batch_at, num_parallel_calls=2, deterministic=True).prefetch(2)


def batches(pictures: Pictures, show: Callable[[Any], Any] | None = None, *, replicas: int = 1) -> Any:
    """All scans once, in their order: what the network is shown, by default plain pixels, and one-hot labels.

    Where `replicas` share a batch, the first few come again at the end, so that all shares are of one size.
    """
    show = show or _plain(pictures)
    labels = on_host(_one_hot(pictures))
    scans = len(pictures.grey)
    shown = np.arange(scans + -scans % replicas) % scans
    places = tf.data.Dataset.from_tensor_slices(shown).batch(max(BATCH // replicas, 1) * replicas)
    return places.map(lambda chosen: (show(chosen), tf.gather(labels, chosen))).prefetch(2)


def on_host(array: np.ndarray) -> Any:
    """A constant for a stream; a GPU would take all of it into its memory."""
    with tf.device("CPU:0"):
        return tf.constant(array)


def channels(grey: Any) -> Any:
    """Grey `[n, h, w, 1]` of any type as the float32 `[n, h, w, 3]` that a network takes."""
    return tf.repeat(tf.cast(grey, tf.float32), 3, axis=3)


def sample_weights(pictures: Pictures, recipe: Recipe) -> np.ndarray:
    """float32 `[n]` with mean 1."""
    if not recipe.balance:
        return np.ones(len(pictures.labels), np.float32)
    per_class = np.bincount(pictures.labels, minlength=len(LABELS))[pictures.labels]
    _, index, scans = np.unique(pictures.patients, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(per_class * scans[index])
    return (weights / weights.mean()).astype(np.float32)


def _augmented(pictures: Pictures, recipe: Recipe, seed: int) -> Callable[[Any, Any], Any]:
    grey = on_host(pictures.grey)

    def show(chosen: Any, step: Any) -> Any:
        draw = tf.stack([tf.cast(seed, tf.int64), step])
        return channels(augment(tf.gather(grey, chosen), recipe.augmentation, draw))

    return show


def _plain(pictures: Pictures) -> Callable[[Any], Any]:
    grey = on_host(pictures.grey[..., None])
    return lambda chosen: channels(tf.gather(grey, chosen))


def _order(scans: int, seed: int, epoch: Any) -> Any:
    return tf.random.experimental.stateless_shuffle(
        tf.range(scans), seed=tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    )


def _one_hot(pictures: Pictures) -> np.ndarray:
    return np.eye(len(LABELS), dtype=np.float32)[pictures.labels]
