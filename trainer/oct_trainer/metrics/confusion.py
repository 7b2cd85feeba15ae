"""What a confusion matrix says: row is the truth, column the prediction. Many at once are fine: `[..., 4, 4]`."""

from typing import Any

import numpy as np

from oct_edge.labels import LABELS

_CLASSES = len(LABELS)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """`[..., 4, 4]` for weights `[..., n]`; counts, int `[4, 4]`, without weights."""
    cells = np.eye(_CLASSES**2, dtype=np.int64)[labels * _CLASSES + predicted]
    counts = cells.sum(0) if weights is None else weights @ cells
    return np.asarray(counts.reshape(*counts.shape[:-1], _CLASSES, _CLASSES))


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of the diagonal."""
    return ratio(_diagonal(matrix).sum(-1), matrix.sum((-2, -1)))


def sensitivity(matrix: np.ndarray) -> np.ndarray:
    """Recall a class, `[..., 4]`; NaN for a class that does not occur."""
    return ratio(_diagonal(matrix), matrix.sum(-1))


def specificity(matrix: np.ndarray) -> np.ndarray:
    """True negatives over all negatives a class, `[..., 4]`."""
    total = matrix.sum((-2, -1))[..., None]
    positives, called = matrix.sum(-1), matrix.sum(-2)
    return ratio(total - positives - called + _diagonal(matrix), total - positives)


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean sensitivity over the classes that occur."""
    return mean_of_known(sensitivity(matrix))


def cohen_kappa(matrix: np.ndarray) -> np.ndarray:
    """Agreement beyond chance (Cohen 1960): 1 is perfect, 0 is chance; NaN where chance alone agrees always."""
    by_chance = agreement_by_chance(matrix)
    return ratio(accuracy(matrix) - by_chance, 1 - by_chance)


def agreement_by_chance(matrix: np.ndarray) -> np.ndarray:
    """How often truth and prediction would agree if they had nothing but their class frequencies in common."""
    return ratio((matrix.sum(-1) * matrix.sum(-2)).sum(-1), matrix.sum((-2, -1)) ** 2)


def ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """The quotient, NaN where the denominator is not positive."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis, of what is not NaN."""
    return ratio(np.nansum(values, -1), (~np.isnan(values)).sum(-1))


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)
