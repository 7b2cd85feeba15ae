"""Train what is missing of a cross-validation. Imports TensorFlow."""

import hashlib
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.crossval.logistic import LOGISTIC, answer_by_regression
from oct_trainer.crossval.records import fold_path, open_method, write_fold
from oct_trainer.dataset import DataSet
from oct_trainer.features import CACHE
from oct_trainer.fit import train
from oct_trainer.folds import folds
from oct_trainer.layout import POOL
from oct_trainer.predictions import FITTED_ON, Predictions, read_predictions
from oct_trainer.recipes import RECIPES, Recipe

SCHEMA = "oct-edge/crossval@1"


def cross_validate(
    network: str,
    data: DataSet,
    out: Path,
    *,
    recipe: str,
    weights: str,
    count: int = 5,
    seeds: int = 1,
    epochs: int | None = None,
) -> str:
    """Answer every scan of `train` and `val` by a model that has not seen its patient; returns the method's name.

    The folds are the same for every method and seed. A recipe that stops early does so on the very scans it is judged
    by, as in the article, which favours it; `best` chooses nothing on them.

    Raises:
        DataSetError, WeightsError, ConfigurationError, OutputUnavailable: finished folds stay.
    """
    if network == LOGISTIC:
        method, chosen = LOGISTIC, None
    else:
        method, chosen = f"{network}-{recipe}", _capped(RECIPES[recipe][network], epochs)
    open_method(out, method, _settings(network, data, chosen, weights, count))
    parts = folds(data, count)
    for seed in range(seeds):
        for number, fold in enumerate(parts):
            path = fold_path(out, method, seed, number)
            if path.exists():
                continue
            print(f"{method}: seed {seed}, fold {number + 1} of {count}", file=sys.stderr)
            if chosen is None:
                write_fold(path, answer_by_regression(fold, weights))
            else:
                write_fold(path, _answer_by_training(network, fold, path, chosen, weights, seed))
    return method


def _capped(recipe: Recipe, epochs: int | None) -> Recipe:
    return recipe if epochs is None else replace(recipe, epochs=min(epochs, recipe.epochs))


def _answer_by_training(
    network: str, fold: DataSet, path: Path, recipe: Recipe, weights: str, seed: int
) -> Predictions:
    work = path.parent / f".{path.stem}"
    run = train(network, fold, work, recipe, weights=weights, seed=seed, cache=path.parents[2] / CACHE)
    answers = read_predictions(run / "predictions.csv")[FITTED_ON]
    shutil.rmtree(work)
    return answers


def _settings(network: str, data: DataSet, recipe: Recipe | None, weights: str, count: int) -> dict[str, Any]:
    pool = sorted((s.name(data.root), LABELS[s.label], s.patient) for s in data.samples if s.split in POOL)
    return {
        "schema": SCHEMA,
        "network": network,
        "recipe": None if recipe is None else asdict(recipe),
        "weights": Path(weights).name,
        "folds": count,
        "data": hashlib.sha256("\n".join(",".join(row) for row in pool).encode()).hexdigest(),
        "scans": len(pool),
        "patients": len({patient for _, _, patient in pool}),
        "preprocessing": PREPROCESSING,
        "disclaimer": DISCLAIMER,
    }
