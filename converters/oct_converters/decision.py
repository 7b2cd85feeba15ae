"""What turns int8 logits into a decision: temperature and urgent threshold, fitted on validation patients."""

from dataclasses import dataclass

import numpy as np

from oct_edge.classifier import softmax
from oct_edge.labels import URGENT

TARGET_SENSITIVITY = 0.95
HIGHEST_THRESHOLD = 0.5  # above it, a scan labelled CNV or DME could fail to be urgent
MIN_CONFIDENCE = 0.5
_TEMPERATURES = np.geomspace(0.25, 8.0, 401)


@dataclass(frozen=True)
class OperatingPoint:
    """The decision's parameters, and the sensitivity for CNV or DME that the threshold was chosen for and reached."""

    urgent_threshold: float
    min_confidence: float
    target_sensitivity: float
    reached_sensitivity: float


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest negative log-likelihood (Guo et al. 2017); logits `[n, 4]`, labels int `[n]`."""

    def loss(temperature: float) -> float:
        chosen = softmax(logits.astype(np.float64) / temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return round(float(min(_TEMPERATURES, key=loss)), 4)


def choose_operating_point(
    logits: np.ndarray, labels: np.ndarray, temperature: float, target: float = TARGET_SENSITIVITY
) -> OperatingPoint:
    """The highest threshold on p(CNV)+p(DME), `HIGHEST_THRESHOLD` at most, that still finds `target` of the urgent."""
    urgent = np.isin(labels, URGENT)
    p_urgent = softmax(logits / temperature)[:, URGENT].sum(1)
    found = np.sort(p_urgent[urgent])
    missed = int(np.floor((1 - target) * len(found)))
    threshold = (
        min(HIGHEST_THRESHOLD, float(np.floor(found[missed] * 1000) / 1000)) if len(found) else HIGHEST_THRESHOLD
    )
    reached = float((found >= threshold).mean()) if len(found) else float("nan")
    return OperatingPoint(threshold, MIN_CONFIDENCE, target, round(reached, 4))
