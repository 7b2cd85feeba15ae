"""Does a confidence of 0.9 mean right nine times in ten, and the one number that mends it when it does not."""

from dataclasses import dataclass

import numpy as np

from oct_edge.classifier import softmax
from oct_trainer.metrics.confusion import ratio

BINS = 15
TEMPERATURES = (0.25, 8.0)  # the ends of what is searched
_TEMPERATURES = np.geomspace(*TEMPERATURES, 401)
_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of equal width on the confidence, each `[bins]`: scans, mean confidence and accuracy (NaN where empty)."""

    scans: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest negative log-likelihood (Guo et al. 2017); logits `[n, 4]`, labels int `[n]`."""

    def loss(temperature: float) -> float:
        chosen = softmax(logits.astype(np.float64) / temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return round(float(min(_TEMPERATURES, key=loss)), 4)


def as_logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits with these probabilities as softmax. A probability of zero is the smallest that float32 knows."""
    return np.log(np.maximum(probabilities, _SMALLEST))


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities, had the logits been divided by `temperature`."""
    return softmax(as_logits(probabilities) / temperature)


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Mean distance of confidence and accuracy over 15 bins, each weighing as many scans as it holds (Guo et al. 2017).

    `confidence` is the probability of the class that was answered, `correct` bool, both `[n]`.
    """
    weights = np.ones(len(confidence)) if weights is None else weights
    gaps = (weights * (confidence - correct)) @ _bins(confidence)
    return ratio(np.abs(gaps).sum(-1), weights.sum(-1))


def mean_confidence(probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean probability of the class that was answered."""
    weights = np.ones(len(probabilities)) if weights is None else weights
    return ratio(weights @ probabilities.max(1), weights.sum(-1))


def brier(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean squared distance to the truth over all four classes (Brier 1950): 0 is perfect, 2 is certain and wrong."""
    weights = np.ones(len(labels)) if weights is None else weights
    distance = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1)
    return ratio(weights @ distance, weights.sum(-1))


def reliability(confidence: np.ndarray, correct: np.ndarray) -> Reliability:
    """What a reliability diagram shows."""
    bins = _bins(confidence)
    scans = bins.sum(0)
    return Reliability(scans, ratio(confidence @ bins, scans), ratio(correct @ bins, scans))


def _bins(confidence: np.ndarray) -> np.ndarray:
    """Which of 15 bins `(low, high]` each scan is in, one-hot float `[n, 15]`."""
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.eye(BINS)[np.searchsorted(edges, confidence)]
