"""What turns int8 logits into a decision: the urgent threshold, chosen on validation patients."""

from dataclasses import dataclass

import numpy as np

from oct_edge.classifier import softmax
from oct_edge.errors import RunError
from oct_edge.labels import URGENT
from oct_trainer.metrics import urgent_probability

TARGET_SENSITIVITY = 0.95
HIGHEST_THRESHOLD = 0.5  # above it, a scan labelled CNV or DME could fail to be urgent
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class OperatingPoint:
    """The decision's parameters; the threshold was chosen to find `target_sensitivity` of the CNV and DME in `val`."""

    urgent_threshold: float
    min_confidence: float
    target_sensitivity: float


def choose_operating_point(
    logits: np.ndarray, labels: np.ndarray, temperature: float, target: float = TARGET_SENSITIVITY
) -> OperatingPoint:
    """The highest threshold on p(CNV)+p(DME), `HIGHEST_THRESHOLD` at most, that still finds `target` of the urgent.

    Raises:
        RunError: only a threshold of 0 would.
    """
    found = np.sort(p_urgent(logits, temperature)[np.isin(labels, URGENT)])
    threshold = HIGHEST_THRESHOLD
    if len(found):
        missed = int(np.floor((1 - target) * len(found)))
        threshold = min(threshold, float(np.floor(found[missed] * 1000) / 1000))
    if threshold <= 0:
        raise RunError(
            f"no threshold finds {target:.0%} of the urgent validation scans: the network is sure that they are not.",
            hint="Look at the run's confusion matrix with `oct-train report`, and train it again.",
        )
    return OperatingPoint(threshold, MIN_CONFIDENCE, target)


def p_urgent(logits: np.ndarray, temperature: float) -> np.ndarray:
    """p(CNV)+p(DME) `[n]` for logits `[n, 4]`."""
    return urgent_probability(softmax(logits / temperature))
