"""How well scores put the positives above the negatives, at every threshold at once."""

import numpy as np

from oct_edge.labels import URGENT
from oct_trainer.metrics.confusion import mean_of_known, ratio


def auc(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting half.

    The Mann-Whitney statistic; `truth` is bool `[n]`. NaN where there are no positives or no negatives.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    positives, negatives = np.flatnonzero(truth), np.flatnonzero(~truth)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    heavy, light = weights[..., positives], weights[..., negatives]
    beaten = np.concatenate([np.zeros((*light.shape[:-1], 1)), np.cumsum(light, -1)], -1)
    below, up_to = (np.searchsorted(scores[negatives], scores[positives], side) for side in ("left", "right"))
    won = (heavy * (beaten[..., below] + beaten[..., up_to])).sum(-1) / 2
    return ratio(won, heavy.sum(-1) * light.sum(-1))


def class_auc(
    probabilities: np.ndarray, labels: np.ndarray, label: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """One class against the rest."""
    return auc(probabilities[:, label], labels == label, weights)


def macro_auc(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The mean over the classes that have an area of their own."""
    areas = [class_auc(probabilities, labels, label, weights) for label in range(probabilities.shape[1])]
    return mean_of_known(np.stack(areas, -1))


def roc_curve(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rates, true positive rates, thresholds: from (0, 0) at infinity, one point a distinct score."""
    thresholds, inverse = np.unique(-scores, return_inverse=True)
    hits = np.cumsum(np.bincount(inverse, truth, len(thresholds)))
    alarms = np.cumsum(np.bincount(inverse, ~truth, len(thresholds)))
    rates = [np.append(0, ratio(counts, total)) for counts, total in ((alarms, (~truth).sum()), (hits, truth.sum()))]
    return rates[0], rates[1], np.append(np.inf, -thresholds)


def urgent_probability(probabilities: np.ndarray) -> np.ndarray:
    """p(CNV) + p(DME), `[n]`."""
    return np.asarray(probabilities[:, URGENT].sum(1))
