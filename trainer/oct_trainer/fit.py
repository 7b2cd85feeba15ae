"""Train one network by one recipe, and leave a run behind that says how good it is.

A run is the folder `<out>/<network>/` with `model.keras` (the epoch with the least validation loss), `metrics.json`,
`history.csv`, `split.csv` (who was trained on, with hashes) and `predictions.csv`. A recipe's figures on `test` are
computed once, after the choice of the epoch.

The run appears when all of it is there (see `run_folder`). Until then its best weights so far are in
`<out>/.<network>.partial/checkpoint.weights.h5`, where they outlive a failure, but not the next training.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.augment import augmenter
from oct_trainer.batchnorm import restore_batch_norms, set_norm_momentum
from oct_trainer.dataset import DataSet, class_counts, phantom_count, write_split
from oct_trainer.networks import NETWORKS
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.predict import predict
from oct_trainer.predictions import measure, write_predictions
from oct_trainer.progress import TrainingProgress
from oct_trainer.recipes import Recipe
from oct_trainer.run import SCHEMA
from oct_trainer.run_folder import CHECKPOINT, new_run
from oct_trainer.weights import apply_weights, base_of

RESTORE_SCANS = 256


def train(
    network: str,
    data: DataSet,
    out: Path,
    recipe: Recipe,
    *,
    weights: str,
    epochs: int | None = None,
    seed: int = 0,
) -> Path:
    """Train and evaluate; returns the run folder.

    `epochs` caps those of the recipe; `weights` is as in `apply_weights`.

    Raises:
        DataSetError, WeightsError, ConfigurationError: before any time is spent on training.
        OutputUnavailable: the run cannot be written.
    """
    keras.utils.set_random_seed(seed)
    parts = load_parts(data.samples)
    recipe = replace(recipe, epochs=min(recipe.epochs, epochs or recipe.epochs))
    model = NETWORKS[network].build(scaling=recipe.scaling, shrink=recipe.shrink)
    start = apply_weights(model, weights)
    with new_run(out, network) as run:
        described = _describe_data(data, parts, run)
        _fit(model, parts, recipe, start["kind"], run, seed)
        model.save(run / "model.keras")
        record = {
            "schema": SCHEMA,
            "network": network,
            "classes": list(LABELS),
            "preprocessing": PREPROCESSING,
            "recipe": asdict(recipe),
            "seed": seed,
            "weights": start,
            "parameters": model.count_params(),
            "data": described,
            "metrics": _evaluate(model, parts, run, data.root),
            "software": {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
            "disclaimer": DISCLAIMER,
        }
        (run / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
    return out / network


def _fit(
    model: keras.Model,
    parts: dict[str, Pictures],
    recipe: Recipe,
    start: str,
    run: Path,
    seed: int,
) -> None:
    set_norm_momentum(model, recipe.norm_momentum)
    if recipe.fine_tune:
        _open_base(model, parts["train"])
    scans, patients = len(parts["train"].grey), len(set(parts["train"].patients))
    print(f"{model.name}: {scans} scans of {patients} patients, from weights: {start}", file=sys.stderr)
    steps = -(-scans // recipe.batch)
    model.compile(
        optimizer=_optimizer(recipe, steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    with TrainingProgress(model.name, recipe.epochs, steps) as progress:
        model.fit(
            _stream(parts["train"], recipe, seed),
            validation_data=_batches(parts["val"]),
            epochs=recipe.epochs,
            callbacks=[progress, *_callbacks(recipe, run)],
            shuffle=False,
            verbose=0,
        )


def _open_base(model: keras.Model, pictures: Pictures) -> None:
    """Make the pre-trained base trainable, with batch norms that hold the statistics of these scans."""
    base = base_of(model)
    if base is None:
        return
    chosen = np.random.default_rng(0).permutation(len(pictures.grey))[:RESTORE_SCANS]
    pixels = np.repeat(pictures.grey[chosen, :, :, None], 3, axis=3).astype(np.float32)
    restore_batch_norms(base, keras.Model(model.input, model.get_layer("rescaling").output).predict(pixels, verbose=0))
    base.trainable = True


def _optimizer(recipe: Recipe, steps: int) -> Any:
    rate: Any = recipe.learning_rate
    if recipe.cosine:
        total = recipe.epochs * steps
        warmup = min(steps, total // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            recipe.learning_rate / 100, total - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup
        )
    if recipe.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=1e-4)
    return keras.optimizers.Adam(rate)


def _callbacks(recipe: Recipe, run: Path) -> list[Any]:
    patience = 10**6 if recipe.patience is None else recipe.patience
    callbacks: list[Any] = [
        keras.callbacks.CSVLogger(str(run / "history.csv"), append=True),
        keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(
            str(run / CHECKPOINT),
            monitor="val_loss",
            save_best_only=True,
            save_weights_only=True,
        ),
    ]
    if recipe.plateau:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=3, min_delta=1e-5))
    return callbacks


def _stream(pictures: Pictures, recipe: Recipe, seed: int) -> Any:
    """Shuffled, augmented batches: pixels float32 `[b, s, s, 3]` in 0..255, one-hot labels, sample weights."""
    augment = augmenter(recipe.augmentation, seed)
    columns = (
        pictures.grey,
        np.eye(len(LABELS), dtype=np.float32)[pictures.labels],
        _sample_weights(pictures, recipe),
    )
    stream = tf.data.Dataset.from_tensor_slices(columns).shuffle(len(pictures.grey), seed=seed).batch(recipe.batch)
    stream = stream.map(lambda grey, label, weight: (tf.repeat(augment(grey), 3, axis=3), label, weight))
    return stream.prefetch(2)


def _batches(pictures: Pictures) -> Any:
    columns = (pictures.grey[..., None], np.eye(len(LABELS), dtype=np.float32)[pictures.labels])
    stream = tf.data.Dataset.from_tensor_slices(columns).batch(32)
    return stream.map(lambda grey, label: (tf.repeat(tf.cast(grey, tf.float32), 3, axis=3), label)).prefetch(2)


def _sample_weights(pictures: Pictures, recipe: Recipe) -> np.ndarray:
    """float32 `[n]` with mean 1."""
    if not recipe.balance:
        return np.ones(len(pictures.labels), np.float32)
    per_class = np.bincount(pictures.labels, minlength=len(LABELS))[pictures.labels]
    _, index, scans = np.unique(pictures.patients, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(per_class * scans[index])
    return (weights / weights.mean()).astype(np.float32)


def _evaluate(model: keras.Model, parts: dict[str, Pictures], run: Path, root: Path) -> dict[str, Any]:
    held_out = {name: predict(model, part, root) for name, part in parts.items() if name != "train"}
    write_predictions(run / "predictions.csv", held_out)
    return measure(held_out)


def _describe_data(data: DataSet, parts: dict[str, Pictures], run: Path) -> dict[str, Any]:
    """Writes the split; returns what `metrics.json` says of the data."""
    digests = [digest for part in parts.values() for digest in part.sha256]
    samples = [sample for part in parts.values() for sample in part.samples]
    phantoms = {name: phantom_count(part.samples) for name, part in parts.items()}
    return {
        "name": data.root.resolve().name,
        "split_sha256": write_split(samples, digests, data.root, run / "split.csv"),
        "scans": {name: class_counts(part.samples) for name, part in parts.items()},
        "patients": {name: len(set(part.patients)) for name, part in parts.items()},
        "leak": asdict(data.leak) if data.leak else None,
        "phantoms": any(phantoms.values()),
        "phantom_scans": phantoms,
    }
