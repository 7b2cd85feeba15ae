"""What is gained by leaving the least confident scans to a person: the share of errors over the share answered.

A threshold answers all scans that are as confident or more, so scans of equal confidence are answered together, and
the curve does not depend on their order. `wrong` is bool `[n]`.
"""

import numpy as np

from oct_trainer.metrics.confusion import ratio


def risk_coverage(confidence: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk at each distinct confidence, the highest first."""
    _, answered, failed, last = _accumulated(confidence, wrong, np.ones(len(confidence)))
    ends = np.unique(last)
    return ratio(answered[ends], len(confidence)), ratio(failed[ends], answered[ends])


def aurc(confidence: np.ndarray, wrong: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017): the mean, over scans, of the risk down to each."""
    weights = np.ones(len(confidence)) if weights is None else weights
    ordered, answered, failed, last = _accumulated(confidence, wrong, weights)
    risk = np.nan_to_num(ratio(failed, answered)[..., last])
    return ratio((ordered * risk).sum(-1), weights.sum(-1))


def risk_at(
    confidence: np.ndarray, wrong: np.ndarray, coverages: tuple[float, ...], weights: np.ndarray | None = None
) -> np.ndarray:
    """Risk `[..., len(coverages)]` at the highest threshold that answers at least these shares of the scans."""
    weights = np.ones(len(confidence)) if weights is None else weights
    _, answered, failed, last = _accumulated(confidence, wrong, weights)
    risk = ratio(failed, answered)[..., last]
    return np.stack([_first_covering(answered, risk, coverage) for coverage in coverages], -1)


def _first_covering(answered: np.ndarray, risk: np.ndarray, coverage: float) -> np.ndarray:
    if not answered.shape[-1]:
        return np.full(answered.shape[:-1], np.nan)
    wanted = coverage * answered[..., -1:] - 1e-9
    first = np.argmax(answered >= wanted, axis=-1)
    return np.take_along_axis(risk, first[..., None], -1)[..., 0]


def _accumulated(
    confidence: np.ndarray, wrong: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """From the most confident scan on: weights, their sum so far, that of the wrong ones, and for each scan the index
    of the last one that is as confident."""
    order = np.argsort(-confidence, kind="stable")
    ordered = weights[..., order]
    falling = -confidence[order]
    last = np.searchsorted(falling, falling, side="right") - 1
    return ordered, np.cumsum(ordered, -1), np.cumsum(ordered * wrong[order], -1), last
