"""A frozen base is run over a picture once, and not once an epoch; what it makes of it is kept on disk, see `store`.

A network whose first layers are not trained is split in two, made of its very own layers, so that the network is
trained when its head is. The base is run over the plain scans of validation and over some augmented versions of every
training scan, and epoch e trains the head on version e % `recipe.variants`.

A version of a scan is a function of the seed, the number of the version and the digest of the scan, so that the folds
of a cross-validation share what they have in common. The folder that it is kept in is named after a digest of
everything that decides it, down to the weights of the base and the code that augments.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.preprocess import PREPROCESSING
from oct_trainer import augment as augmenting
from oct_trainer.augment import Augmentation, augment
from oct_trainer.pictures import Pictures
from oct_trainer.recipes import Recipe
from oct_trainer.store import Rows, fetch
from oct_trainer.stream import BATCH, batches, channels, on_host, steps_per_epoch, training_stream
from oct_trainer.terminal import progress
from oct_trainer.weights import weights_digest

CACHE = ".features"  # in the folder of the runs
SCHEMA = "oct-edge/features@1"


@dataclass(frozen=True, eq=False)
class Split:
    """`base` has the layers before the first that is trained or draws at random, `head` that one and all behind it."""

    base: keras.Model
    head: keras.Model


@dataclass(frozen=True)
class Version:
    """One augmented version of every scan."""

    augmentation: Augmentation
    seed: int
    number: int

    def draw(self, digest: str) -> np.ndarray:
        """The seed, int64 `[2]`, by which the scan of this digest is augmented."""
        drawn = hashlib.sha256(f"{self.seed} {self.number} {digest}".encode()).digest()
        return np.frombuffer(drawn[:16], "<i8")


def split_frozen(model: keras.Model) -> Split | None:
    """The two parts of `model`, a chain of layers; None where nothing that has weights is frozen."""
    last = model.layers[0]
    for layer in model.layers[1:]:
        if layer.trainable_weights or any(hasattr(inner, "seed_generator") for inner in layer._flatten_layers()):
            break
        last = layer
    base = keras.Model(model.input, last.output, name=model.name)
    return Split(base, keras.Model(last.output, model.output, name=model.name)) if base.weights else None


def feature_streams(
    base: keras.Model,
    parts: dict[str, Pictures],
    recipe: Recipe,
    seed: int,
    first_epoch: int,
    cache: Path,
    *,
    replicas: int = 1,
) -> tuple[Any, Any]:
    """For the head, what `training_stream` from `first_epoch` and `batches` are for the whole network.

    Raises:
        OutputUnavailable: `cache` cannot be used.
    """
    train, val = parts["train"], parts["val"]
    variants, steps = recipe.variants or recipe.epochs, steps_per_epoch(len(train.grey), recipe)
    needed = sorted({epoch % variants for epoch in range(first_epoch, recipe.epochs)})
    with progress() as bar:
        eyes = Eyes(base, recipe, cache, bar)
        plain = on_host(eyes.see(val).read(np.arange(len(val.grey))))
        seen = {number: eyes.see(train, Version(recipe.augmentation, seed, number)) for number in needed}

    def read(chosen: np.ndarray, number: np.ndarray) -> np.ndarray:
        return seen[int(number)].read(chosen)

    def show(chosen: Any, step: Any) -> Any:
        rows = tf.numpy_function(read, (chosen, step // steps % variants), tf.float16, stateful=False)
        return tf.cast(tf.ensure_shape(rows, base.output_shape), tf.float32)

    stream = training_stream(train, recipe, seed, first_epoch, show, replicas=replicas)
    return stream, batches(val, lambda chosen: tf.cast(tf.gather(plain, chosen), tf.float32), replicas=replicas)


class Eyes:
    """A frozen base, traced once for all versions, and the cache of what it has seen."""

    def __init__(
        self, base: keras.Model, recipe: Recipe, cache: Path, bar: Callable[[str, int, int], None] = lambda *_: None
    ) -> None:
        self.base, self.cache, self.bar = base, cache, bar
        self.identity = _identity(base, recipe)

    def see(self, pictures: Pictures, version: Version | None = None) -> Rows:
        """What the base makes of a version of the pictures, or of the plain ones."""
        shown = "plain" if version is None else f"seed-{version.seed}-version-{version.number}"
        identity = {**self.identity, "version": None if version is None else asdict(version)}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

        def compute(places: list[int]) -> Iterator[np.ndarray]:
            done = 0
            for pixels in _pixels(pictures, places, version):
                features = self._look(pixels).numpy()
                done += len(features)
                self.bar(f"{self.base.name}, {shown}", done, len(places))
                yield from features

        return fetch(
            self.cache / f"{self.base.name}-{shown}-{digest[:16]}", pictures.sha256, self.base.output_shape[1:], compute
        )

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def _look(self, pixels: Any) -> Any:
        return tf.saturate_cast(self.base(pixels, training=False), tf.float16)


def _identity(base: keras.Model, recipe: Recipe) -> dict[str, Any]:
    """Everything besides scan and version that a feature depends on."""
    return {
        "schema": SCHEMA,
        "preprocessing": PREPROCESSING,
        "network": base.name,
        "layer": base.layers[-1].name,
        "weights": weights_digest(base),
        "scaling": recipe.scaling,
        "shrink": recipe.shrink,
        "precision": base.dtype_policy.name,
        "augment": hashlib.sha256(inspect.getsource(augmenting).encode()).hexdigest(),
    }


def _pixels(pictures: Pictures, places: list[int], version: Version | None) -> Any:
    """Batches of float32 `[b, s, s, 3]`. Each scan is augmented alone, by a seed of its own."""
    grey = on_host(pictures.grey)
    if version is None:
        stream = tf.data.Dataset.from_tensor_slices(places).map(lambda place: grey[place][..., None])
    else:
        seeds = np.array([version.draw(pictures.sha256[place]) for place in places])
        stream = tf.data.Dataset.from_tensor_slices((places, seeds)).map(
            lambda place, seed: augment(grey[place][None], version.augmentation, seed)[0], num_parallel_calls=2
        )
    return stream.batch(BATCH).map(channels).prefetch(2)
