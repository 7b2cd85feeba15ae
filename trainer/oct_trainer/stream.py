"""Pictures as batches for Keras, and the order in which a training sees them.

A training batch is a function of the seed and its place in the training, of nothing else: the shuffle is drawn from
(seed, epoch), the augmentation from (seed, step). So a training can be taken up again at the start of any epoch and see
exactly what it would have seen without the interruption.
"""

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


def training_stream(pictures: Pictures, recipe: Recipe, seed: int, first_epoch: int = 0) -> Any:
    """Endlessly, from `first_epoch`: pixels float32 `[b, s, s, 3]` in 0..255, one-hot labels, sample weights."""
    scans = len(pictures.grey)
    steps = steps_per_epoch(scans, recipe)
    with tf.device("CPU:0"):  # a GPU would take them all into its memory
        grey, labels = tf.constant(pictures.grey), tf.constant(_one_hot(pictures))
        weights = tf.constant(sample_weights(pictures, recipe))

    def batch_at(step: Any) -> Any:
        chosen = _order(scans, seed, step // steps)[step % steps * recipe.batch :][: recipe.batch]
        pixels = augment(tf.gather(grey, chosen), recipe.augmentation, tf.stack([tf.cast(seed, tf.int64), step]))
        return tf.repeat(pixels, 3, axis=3), tf.gather(labels, chosen), tf.gather(weights, chosen)

    places = tf.data.Dataset.counter(first_epoch * steps)
    return places.map(batch_at, num_parallel_calls=2, deterministic=True).prefetch(2)


def batches(pictures: Pictures) -> Any:
    """All pictures once, in their order: pixels float32 `[b, s, s, 3]` in 0..255 and one-hot labels."""
    columns = (pictures.grey[..., None], _one_hot(pictures))
    stream = tf.data.Dataset.from_tensor_slices(columns).batch(BATCH)
    return stream.map(lambda grey, label: (tf.repeat(tf.cast(grey, tf.float32), 3, axis=3), label)).prefetch(2)


def sample_weights(pictures: Pictures, recipe: Recipe) -> np.ndarray:
    """float32 `[n]` with mean 1."""
    if not recipe.balance:
        return np.ones(len(pictures.labels), np.float32)
    per_class = np.bincount(pictures.labels, minlength=len(LABELS))[pictures.labels]
    _, index, scans = np.unique(pictures.patients, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(per_class * scans[index])
    return (weights / weights.mean()).astype(np.float32)


def _order(scans: int, seed: int, epoch: Any) -> Any:
    return tf.random.experimental.stateless_shuffle(
        tf.range(scans), seed=tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    )


def _one_hot(pictures: Pictures) -> np.ndarray:
    return np.eye(len(LABELS), dtype=np.float32)[pictures.labels]
