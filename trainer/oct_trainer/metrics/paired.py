"""Two sets of answers to the same scans: is the difference more than chance?

The interval of the difference resamples patients, the same ones for both sides, so what the two have in common cancels.
McNemar's test is the exact one; it takes scans for independent, so where patients have many scans each, the interval is
the one to trust.
"""

from dataclasses import dataclass
from math import exp, lgamma, log, nan
from typing import Any

import numpy as np

from oct_edge.labels import LABELS
from oct_trainer.metrics.bootstrap import Bootstrap, Estimate, exact_margin
from oct_trainer.metrics.confusion import balanced_accuracy, confusion_matrix, ratio


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
    return Paired(
        len(labels),
        bootstrap.count(),
        rate_difference(right_first, right_second, bootstrap),
        _balanced_difference(labels, first, second, bootstrap),
        only_first,
        only_second,
        mcnemar(only_first, only_second),
    )


def rate_difference(
    first: np.ndarray, second: np.ndarray, bootstrap: Bootstrap, among: np.ndarray | None = None
) -> Estimate:
    """How much more often `second` is true than `first`, over the scans in `among`; all are bool `[n]`.

    Where the two never differ, the interval is what as many patients cannot exclude, to both sides.
    """
    among = np.ones(len(first), bool) if among is None else among
    change = np.where(among, second.astype(float) - first, 0.0)
    if not change.any():
        return _no_difference(bootstrap.count(among))
    return bootstrap.estimate(lambda weights: ratio(weights @ change, weights @ among), among, within=(-1.0, 1.0))


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value: how often a fair coin splits so many scans this unevenly or worse (McNemar 1947)."""
    differing = only_first + only_second
    if not differing:
        return 1.0
    total = lgamma(differing + 1) - differing * log(2)
    splits = range(min(only_first, only_second) + 1)
    tail = sum(exp(total - lgamma(k + 1) - lgamma(differing - k + 1)) for k in splits)
    return min(1.0, 2 * tail)


def _balanced_difference(labels: np.ndarray, first: np.ndarray, second: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    def difference(weights: np.ndarray) -> np.ndarray:
        before, after = (balanced_accuracy(confusion_matrix(labels, answers, weights)) for answers in (first, second))
        return np.asarray(after - before)

    if ((first == labels) == (second == labels)).all():
        return _no_difference(_rarest(labels, bootstrap))
    return bootstrap.estimate(difference, within=(-1.0, 1.0))


def _no_difference(patients: int) -> Estimate:
    margin = exact_margin(patients) if patients else nan
    return Estimate(0.0 if patients else nan, -margin, margin)


def _rarest(labels: np.ndarray, bootstrap: Bootstrap) -> int:
    """Patients of the class that has the fewest, of those that occur."""
    return min(bootstrap.count(labels == label) for label in range(len(LABELS)) if (labels == label).any())
