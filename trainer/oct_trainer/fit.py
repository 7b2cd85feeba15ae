"""Train one network by one recipe, and leave a run behind that says how good it is.

A run is the folder `<out>/<network>/` with `model.keras`, `metrics.json`, `history.csv`, `split.csv` (who was trained
on, with hashes) and `predictions.csv`. Its figures on `test` are computed once, after everything is chosen.

The run appears when all of it is there (see `run_folder`). Until then every finished epoch is kept in
`<out>/.<network>.partial/`, and the same command goes on from the last one (see `checkpoints`).
"""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.batchnorm import open_base, set_norm_momentum
from oct_trainer.checkpoints import Checkpoints
from oct_trainer.dataset import DataSet, class_counts, phantom_count, write_split
from oct_trainer.event_log import EventLog
from oct_trainer.features import CACHE, feature_streams, split_frozen
from oct_trainer.machine import Machine, find_machine, memory_guarded
from oct_trainer.networks import NETWORKS
from oct_trainer.optimizer import compile_model
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.predict import predict
from oct_trainer.predictions import measure, write_predictions
from oct_trainer.progress import TrainingProgress
from oct_trainer.recipes import Recipe
from oct_trainer.run import SCHEMA
from oct_trainer.run_folder import new_run
from oct_trainer.stream import batches, steps_per_epoch, training_stream
from oct_trainer.task import SETTINGS, Task, is_done, settings_digest
from oct_trainer.weights import apply_weights, weights_digest


def train(
    network: str,
    data: DataSet,
    out: Path,
    recipe: Recipe,
    *,
    weights: str,
    epochs: int | None = None,
    seed: int = 0,
    restart: bool = False,
    tensorboard: Path | None = None,
    machine: Machine | None = None,
    cache: Path | None = None,
) -> Path:
    """Train and evaluate; returns the run folder.

    `epochs` caps those of the recipe; `weights` is as in `apply_weights`; `cache` is where the features of a frozen
    base are kept, without it beside the run. A finished run of the same settings is kept, and stderr says so, unless
    `restart` is given, which discards an unfinished training too.

    Raises:
        DataSetError, WeightsError, ConfigurationError: before any time is spent on training.
        OutOfMemory: says what to lower.
        OutputUnavailable: the run cannot be written; the epochs before are kept.
    """
    capped = replace(recipe, epochs=min(recipe.epochs, epochs or recipe.epochs))
    task = Task(network, capped, weights, seed, tensorboard, cache or out / CACHE)
    with memory_guarded(recipe.batch):
        keras.utils.set_random_seed(seed)
        machine = machine or find_machine()
        machine.require_share(recipe.batch)
        with machine.building():
            model = _build(task)
            start = apply_weights(model, weights)
        starting = weights_digest(model)
        if not restart and is_done(task, data, out, starting, machine):
            print(
                f"{out / network}: finished with these settings before; kept, --restart trains again.", file=sys.stderr
            )
            return out / network
        parts = load_parts(data.samples)
        with new_run(out, network, restart=restart) as run:
            described = _describe_data(data, parts, run)
            settings = task.settings(described["split_sha256"], machine)
            with machine.building():
                history = _fit(model, parts, task, settings, run, machine)
            finished = _in_float32(model, task)
            finished.save(run / "model.keras")
            _write_history(history, run / "history.csv")
            record = {
                **_describe_training(finished, task, start),
                SETTINGS: settings_digest(settings, starting),
                "data": described,
                "metrics": _evaluate(finished, parts, run, data.root),
                "software": {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
                "disclaimer": DISCLAIMER,
            }
            (run / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
    return out / network


def _build(task: Task) -> keras.Model:
    return NETWORKS[task.network].build(scaling=task.recipe.scaling, shrink=task.recipe.shrink)


def _in_float32(model: keras.Model, task: Task) -> keras.Model:
    """The same weights in a network of plain float32, whatever machine they were trained on."""
    plain = _build(task)
    plain.set_weights(model.get_weights())
    return plain


def _fit(
    model: keras.Model,
    parts: dict[str, Pictures],
    task: Task,
    settings: dict[str, Any],
    run: Path,
    machine: Machine,
) -> list[dict[str, float]]:
    """Train in place; returns a row of figures an epoch. Of a network on a frozen base, only its head is run."""
    recipe = task.recipe
    set_norm_momentum(model, recipe.norm_momentum)
    if recipe.fine_tune:
        open_base(model, parts["train"].grey)
    scans, patients = len(parts["train"].grey), len(set(parts["train"].patients))
    steps = steps_per_epoch(scans, recipe)
    frozen = split_frozen(model)
    trained = frozen.head if frozen else model
    compile_model(trained, recipe, steps, machine)
    callbacks = _callbacks(task)
    checkpoints = Checkpoints(run, settings, callbacks, task.seed)
    checkpoints.restore(trained)
    first = checkpoints.first_epoch
    print(f"{model.name}: {scans} scans of {patients} patients, {_beginning(first, task.weights)}", file=sys.stderr)
    if not checkpoints.stopped:
        place, replicas = (recipe, task.seed, first), machine.replicas
        if frozen:
            stream, held_out = feature_streams(frozen.base, parts, *place, task.cache, replicas=replicas)
        else:
            stream = training_stream(parts["train"], *place, replicas=replicas)
            held_out = batches(parts["val"], replicas=replicas)
        with TrainingProgress(model.name, recipe.epochs, steps, first) as progress:
            trained.fit(
                stream,
                validation_data=held_out,
                initial_epoch=first,
                epochs=recipe.epochs,
                steps_per_epoch=steps,
                callbacks=[progress, *callbacks, checkpoints, *_event_logs(task, checkpoints)],
                shuffle=False,
                verbose=0,
            )
    return checkpoints.history


def _beginning(first: int, weights: str) -> str:
    return f"going on after epoch {first}" if first else f"from weights: {weights}"


def _callbacks(task: Task) -> list[Any]:
    recipe, callbacks = task.recipe, []
    if recipe.patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=recipe.patience, restore_best_weights=True))
    if recipe.plateau:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=3, min_delta=1e-5))
    return callbacks


def _event_logs(task: Task, checkpoints: Checkpoints) -> list[Any]:
    return [EventLog(task.tensorboard / task.network, checkpoints.history)] if task.tensorboard else []


def _write_history(rows: Sequence[dict[str, float]], path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _evaluate(model: keras.Model, parts: dict[str, Pictures], run: Path, root: Path) -> dict[str, Any]:
    held_out = {name: predict(model, part, root) for name, part in parts.items() if name != "train"}
    write_predictions(run / "predictions.csv", held_out)
    return measure(held_out)


def _describe_training(model: keras.Model, task: Task, start: dict[str, Any]) -> dict[str, Any]:
    """What `metrics.json` says of the network, and of all that decided its weights besides the data."""
    return {
        "schema": SCHEMA,
        "network": task.network,
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "recipe": asdict(task.recipe),
        "seed": task.seed,
        "weights": start,
        "parameters": model.count_params(),
    }


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
