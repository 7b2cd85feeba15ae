"""What cross-validations have left behind, read and compared without TensorFlow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oct_edge.errors import ConfigurationError, RunError
from oct_edge.files import make_folder, write_atomically
from oct_trainer.metrics import Paired, compare_paired
from oct_trainer.predictions import FITTED_ON, Predictions, predictions_csv, read_predictions

SETTINGS = "settings.json"


@dataclass(frozen=True, eq=False)
class Method:
    """The answers of one method to scans that it was not trained on, a seed after the other."""

    name: str
    settings: dict[str, Any]
    seeds: dict[int, dict[int, Predictions]]

    @property
    def answers(self) -> Predictions:
        """All answers of all seeds; a scan stands there once a seed, always under its patient."""
        return joined([part for folds in self.seeds.values() for part in folds.values()])


def fold_path(out: Path, method: str, seed: int, fold: int) -> Path:
    return out / method / f"seed-{seed}" / f"fold-{fold}.csv"


def open_method(out: Path, method: str, settings: dict[str, Any]) -> None:
    """Make the method's folder, or see that it is of the same settings. Where no fold was begun, any are taken.

    Raises:
        ConfigurationError: answers by other settings are there.
        OutputUnavailable: it cannot be written.
    """
    make_folder(out / method)
    path, settings = out / method / SETTINGS, json.loads(json.dumps(settings))
    if not path.exists() or not any((out / method).glob("seed-*")):
        write_atomically(path, (json.dumps(settings, indent=1) + "\n").encode())
        return
    before = _read_settings(path)
    other = sorted(key for key in before.keys() | settings.keys() if before.get(key) != settings.get(key))
    if other:
        raise ConfigurationError(
            f"{out / method}: was made with another {', '.join(other)}.",
            hint="Folds of different settings cannot be compared: name another folder with --out, or remove that one.",
        )


def write_fold(path: Path, answers: Predictions) -> None:
    make_folder(path.parent)
    write_atomically(path, predictions_csv({FITTED_ON: answers}))


def read_methods(out: Path) -> list[Method]:
    """All methods that have finished a fold, by name.

    Raises:
        RunError: there is none, or a file is not what it should be.
    """
    found = [_read_method(path.parent) for path in sorted(out.glob(f"*/{SETTINGS}"))]
    methods = [method for method in found if method.seeds]
    if not methods:
        raise RunError(
            f"{out}: no finished fold of a cross-validation.", hint="Run `oct-train crossval NETWORK --data … --out …`."
        )
    return methods


def compare(first: Method, second: Method) -> Paired | None:
    """`second` minus `first` on the folds that both have finished by the same seed; None where there is none."""
    pairs = [
        (parts[fold], second.seeds[seed][fold])
        for seed, parts in first.seeds.items()
        for fold in parts
        if fold in second.seeds.get(seed, {})
    ]
    if not pairs or first.settings["data"] != second.settings["data"]:
        return None
    before, after = joined([a for a, _ in pairs]), joined([_in_order_of(a, b) for a, b in pairs])
    return compare_paired(before.labels, before.predicted, after.predicted, before.patients)


def joined(parts: list[Predictions]) -> Predictions:
    return Predictions(
        np.concatenate([p.paths for p in parts]),
        np.concatenate([p.patients for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.probabilities for p in parts]),
    )


def _in_order_of(reference: Predictions, other: Predictions) -> Predictions:
    place = {path: i for i, path in enumerate(other.paths)}
    if place.keys() != set(reference.paths):
        raise RunError("two cross-validations have other scans in the same fold.", hint="Run one of them again.")
    order = [place[path] for path in reference.paths]
    return Predictions(other.paths[order], other.patients[order], other.labels[order], other.probabilities[order])


def _read_method(folder: Path) -> Method:
    seeds: dict[int, dict[int, Predictions]] = {}
    for path in sorted(folder.glob("seed-*/fold-*.csv")):
        seed, fold = int(path.parent.name.removeprefix("seed-")), int(path.stem.removeprefix("fold-"))
        seeds.setdefault(seed, {})[fold] = read_predictions(path)[FITTED_ON]
    return Method(folder.name, _read_settings(folder / SETTINGS), seeds)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
        return {"folds": int(settings["folds"]), "data": str(settings["data"]), **settings}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}).", hint="Remove the folder and run it again.") from error
