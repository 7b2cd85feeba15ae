"""What a network answered to a set of scans: the one file that figures, plots and comparisons are made from.

`predictions.csv` has a row a scan: split, path (relative to the data), patient, label, and the probability of each
class. Nine digits are written of a probability: every float32 keeps its rank among the others, and temperature scaling
finds the small ones whole. So figures from the file are those from the model. No TensorFlow.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from oct_edge.errors import RunError
from oct_edge.labels import LABELS
from oct_trainer.metrics import as_logits, evaluate, fit_temperature

COLUMNS = ("split", "path", "patient", "label", *LABELS)
FITTED_ON = "val"
_TOLERANCE = 1e-3  # of the sum of a row's probabilities


@dataclass(frozen=True, eq=False)
class Predictions:
    """`paths` and `patients` are arrays of str, `labels` int `[n]`, `probabilities` float64 `[n, 4]`."""

    paths: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        return np.asarray(self.probabilities.argmax(1))

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the class that was answered."""
        return np.asarray(self.probabilities.max(1))

    @property
    def wrong(self) -> np.ndarray:
        return np.asarray(self.predicted != self.labels)

    def most_wrong(self, most: int) -> Iterator[int]:
        """Indices of the wrong answers, the most confident first."""
        order = np.argsort(-self.confidence, kind="stable")
        return (int(i) for i in order[self.wrong[order]][:most])


def measure(parts: Mapping[str, Predictions]) -> dict[str, dict[str, Any]]:
    """The figures of each split. The temperature is fitted on `val`, so there its effect is in-sample."""
    temperature = temperature_of(parts[FITTED_ON])
    return {name: figures(part, temperature, in_sample=name == FITTED_ON) for name, part in parts.items()}


def figures(part: Predictions, temperature: float, *, in_sample: bool) -> dict[str, Any]:
    """The figures of one set of scans, at a temperature that was fitted on the validation scans of the run."""
    found = evaluate(part.labels, part.probabilities, part.patients, temperature)
    calibration = found["calibration"]
    return found | {"calibration": {"fitted_on": FITTED_ON, "in_sample": in_sample, **calibration}}


def temperature_of(part: Predictions) -> float:
    return fit_temperature(as_logits(part.probabilities), part.labels)


def write_predictions(path: Path, parts: Mapping[str, Predictions]) -> None:
    path.write_bytes(predictions_csv(parts))


def predictions_csv(parts: Mapping[str, Predictions]) -> bytes:
    """The content of `predictions.csv`."""
    file = StringIO(newline="")
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for split, part in parts.items():
        for name, patient, label, scores in zip(
            part.paths, part.patients, part.labels, part.probabilities, strict=True
        ):
            rows.writerow((split, name, patient, LABELS[label], *(f"{p:.9g}" for p in scores)))
    return file.getvalue().encode()


def read_predictions(path: Path) -> dict[str, Predictions]:
    """The predictions of each split.

    Raises:
        RunError: the file is missing, or not one that this version writes; it says which line.
    """
    try:
        header, *rows = list(csv.reader(StringIO(path.read_bytes().decode(), newline=""))) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({error}).") from error
    if tuple(header) != COLUMNS:
        raise RunError(f"{path}: the columns are not {', '.join(COLUMNS)}.")
    parts: dict[str, list[Sequence[str]]] = {}
    for number, row in enumerate(rows, 2):
        if not _is_prediction(row):
            raise RunError(f"{path}: row {number} is not a label and a probability of each class.")
        parts.setdefault(row[0], []).append(row)
    return {split: _gathered(part) for split, part in parts.items()}


def _is_prediction(row: Sequence[str]) -> bool:
    if len(row) != len(COLUMNS) or row[3] not in LABELS:
        return False
    try:
        scores = np.array(row[4:], float)
    except ValueError:
        return False
    return bool((scores >= 0).all() and abs(scores.sum() - 1) < _TOLERANCE)


def _gathered(rows: Iterable[Sequence[str]]) -> Predictions:
    _, paths, patients, labels, *scores = zip(*rows, strict=True)
    return Predictions(
        np.array(paths),
        np.array(patients),
        np.array([LABELS.index(label) for label in labels]),
        np.array(scores, float).T,
    )
