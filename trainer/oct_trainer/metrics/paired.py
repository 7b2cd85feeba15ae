"""Two sets of answers to the same scans: is the difference more than chance?

The interval of the difference resamples patients, the same ones for both sides, so what the two have in common cancels.
McNemar's test is the exact one; it takes scans for independent, so where patients have many scans each, the interval is
the one to trust.
"""

from dataclasses import dataclass
from functools import partial
from math import exp, lgamma, log
from typing import Any

import numpy as np

from oct_edge.labels import LABELS
from oct_trainer.metrics.bootstrap import Bootstrap, Estimate, Figure, exact_margin
from oct_trainer.metrics.confusion import accuracy, balanced_accuracy, confusion_matrix


@dataclass(frozen=True)
class Paired:
    """`second` minus `first` in accuracy and balanced accuracy; `only_first` scans are right in the first alone."""

    scans: int
    patients: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    only_first: int
    only_second: int
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "scans": self.scans,
            "patients": self.patients,
            "accuracy_difference": self.accuracy.to_dict(),
            "balanced_accuracy_difference": self.balanced_accuracy.to_dict(),
            "only_first_right": self.only_first,
            "only_second_right": self.only_second,
            "mcnemar_p": float(f"{self.p_value:.3g}"),
        }


def compare_paired(labels: np.ndarray, first: np.ndarray, second: np.ndarray, patients: np.ndarray) -> Paired:
    """Compare two predictions, int `[n]` each, for the same `n` scans."""
    right_first, right_second = first == labels, second == labels
    only_first = int((right_first & ~right_second).sum())
    only_second = int((right_second & ~right_first).sum())
    bootstrap = Bootstrap(patients)

    def difference(metric: Figure, measured_on: int) -> Estimate:
        if not only_first + only_second:
            margin = exact_margin(measured_on)
            return Estimate(0.0, -margin, margin)
        return bootstrap.estimate(partial(_difference, metric, labels, first, second), within=(-1.0, 1.0))

    return Paired(
        len(labels),
        bootstrap.count(),
        difference(accuracy, bootstrap.count()),
        difference(balanced_accuracy, _rarest(labels, bootstrap)),
        only_first,
        only_second,
        mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value: how often a fair coin splits so many scans this unevenly or worse (McNemar 1947)."""
    differing = only_first + only_second
    if not differing:
        return 1.0
    total = lgamma(differing + 1) - differing * log(2)
    splits = range(min(only_first, only_second) + 1)
    tail = sum(exp(total - lgamma(k + 1) - lgamma(differing - k + 1)) for k in splits)
    return min(1.0, 2 * tail)


def _difference(
    metric: Figure, labels: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    before, after = (metric(confusion_matrix(labels, predicted, weights)) for predicted in (first, second))
    return np.asarray(after - before)


def _rarest(labels: np.ndarray, bootstrap: Bootstrap) -> int:
    """Patients of the class that has the fewest, of those that occur."""
    return min(bootstrap.count(labels == label) for label in range(len(LABELS)) if (labels == label).any())
