"""Figures from predictions, with the uncertainty that few patients leave.

Scans of one patient are not independent, so every 95 % interval resamples patients, not scans (percentile bootstrap).
Where every scan is right, or every one wrong, resampling sees no spread at all; the interval is then the exact binomial
one (Clopper & Pearson 1934) for as many trials as there are patients.
All functions take `labels` int `[n]` and `predicted` int `[n]`, indices into `LABELS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from oct_edge.labels import LABELS

RESAMPLES = 2000
_CLASSES = len(LABELS)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where the data cannot give it (a class that does not occur)."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        return {"value": _rounded(self.value), "low": _rounded(self.low), "high": _rounded(self.high)}


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """int `[4, 4]`: row is the truth, column the prediction."""
    matrix = np.zeros((_CLASSES, _CLASSES), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of the diagonal of confusion matrices `[..., 4, 4]`."""
    return _ratio(_diagonal(matrix).sum(-1), matrix.sum((-2, -1)))


def sensitivity(matrix: np.ndarray) -> np.ndarray:
    """Recall a class, `[..., 4]`; NaN for a class that does not occur."""
    return _ratio(_diagonal(matrix), matrix.sum(-1))


def specificity(matrix: np.ndarray) -> np.ndarray:
    """True negatives over all negatives a class, `[..., 4]`."""
    total = matrix.sum((-2, -1))[..., None]
    positives, called = matrix.sum(-1), matrix.sum(-2)
    return _ratio(total - positives - called + _diagonal(matrix), total - positives)


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean sensitivity over the classes that occur."""
    recalls = sensitivity(matrix)
    occurs = ~np.isnan(recalls)
    return _ratio(np.nansum(recalls, -1), occurs.sum(-1))


def patient_resamples(labels: np.ndarray, predicted: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Confusion matrices `[2000, 4, 4]` of resampled patients."""
    names, index = np.unique(patients, return_inverse=True)
    per_patient = np.zeros((len(names), _CLASSES, _CLASSES), np.int64)
    np.add.at(per_patient, (index, labels, predicted), 1)
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    return np.tensordot(draws, per_patient, axes=1)


def estimate(value: float, resampled: np.ndarray, patients: int) -> Estimate:
    """The value with the 2.5 and 97.5 percentiles of its resamples, leaving out those that lack the class.

    `patients` is the number of those that the value is measured on.
    """
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
    if value == low == high == 1:
        low = 0.025 ** (1 / patients)
    elif value == low == high == 0:
        high = 1 - 0.025 ** (1 / patients)
    return Estimate(float(value), float(low), float(high))


def summarise(labels: np.ndarray, predicted: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
    """The figures of a test set as they stand in `metrics.json` and in the card."""
    matrix = confusion_matrix(labels, predicted)
    resampled = patient_resamples(labels, predicted, patients)

    def figure(metric: Callable[[np.ndarray], np.ndarray], measured_on: np.ndarray) -> dict[str, float | None]:
        support = len(np.unique(patients[measured_on]))
        return estimate(float(metric(matrix)), metric(resampled), support).to_dict()

    everyone = np.ones(len(labels), bool)
    return {
        "scans": len(labels),
        "patients": len(np.unique(patients)),
        "accuracy": figure(accuracy, everyone),
        "balanced_accuracy": figure(balanced_accuracy, everyone),
        "sensitivity": {n: figure(partial(_of, sensitivity, i), labels == i) for i, n in enumerate(LABELS)},
        "specificity": {n: figure(partial(_of, specificity, i), labels != i) for i, n in enumerate(LABELS)},
        "confusion_matrix": matrix.tolist(),
    }


def detection(truth: np.ndarray, called: np.ndarray, patients: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Sensitivity and specificity of a yes-or-no answer; `truth` and `called` are bool `[n]`."""
    summary = summarise(np.where(truth, 0, 1), np.where(called, 0, 1), patients)
    return {name: summary[name][LABELS[0]] for name in ("sensitivity", "specificity")}


def _of(metric: Callable[[np.ndarray], np.ndarray], label: int, matrix: np.ndarray) -> np.ndarray:
    return metric(matrix)[..., label]


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _ratio(numerator: Any, denominator: Any) -> np.ndarray:
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
