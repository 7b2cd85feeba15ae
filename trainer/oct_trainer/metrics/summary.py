"""The figures of a test set as they stand in `metrics.json` and in the card."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oct_edge.labels import LABELS, URGENT
from oct_trainer.metrics import calibration, confusion, ranking, selective
from oct_trainer.metrics.bootstrap import Bootstrap, Figure, interval

URGENT_THRESHOLD = 0.5  # on p(CNV) + p(DME): before an operating point is chosen, the likelier side
COVERAGES = tuple(round(0.1 * tenth, 1) for tenth in range(1, 11))

Json = dict[str, Any]


def summarise(labels: np.ndarray, predicted: np.ndarray, patients: np.ndarray) -> Json:
    """What the answers alone say: accuracy and its relatives, a class and over all."""
    return _of_answers(labels, predicted, Bootstrap(patients))


def detection(truth: np.ndarray, called: np.ndarray, patients: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Sensitivity and specificity of a yes-or-no answer; `truth` and `called` are bool `[n]`."""
    return _detection(truth, called, Bootstrap(patients))


def calibration_errors(labels: np.ndarray, probabilities: np.ndarray, patients: np.ndarray) -> Json:
    """Expected calibration error and Brier score."""
    return _calibration(labels, probabilities, Bootstrap(patients))


def confidence(probabilities: np.ndarray, patients: np.ndarray) -> Json:
    """How sure the answers are: mean probability of the class that was answered."""
    return Bootstrap(patients).estimate(partial(calibration.mean_confidence, probabilities)).to_dict()


def evaluate(labels: np.ndarray, probabilities: np.ndarray, patients: np.ndarray, temperature: float) -> Json:
    """Everything: `summarise`, and what the probabilities say besides.

    Only calibration looks at the probabilities after `temperature`; all else takes them as the network gave them.
    """
    predicted = probabilities.argmax(1)
    bootstrap = Bootstrap(patients)
    return {
        **_of_answers(labels, predicted, bootstrap),
        "auc": _areas(labels, probabilities, bootstrap),
        "urgent": _urgent(labels, probabilities, bootstrap),
        "calibration": {
            "temperature": temperature,
            "before": _calibration(labels, probabilities, bootstrap),
            "after": _calibration(labels, calibration.with_temperature(probabilities, temperature), bootstrap),
        },
        "selective": _selective(probabilities.max(1), predicted != labels, bootstrap),
    }


def _of_answers(labels: np.ndarray, predicted: np.ndarray, bootstrap: Bootstrap) -> Json:
    matrix = confusion.confusion_matrix(labels, predicted)
    resampled = bootstrap.resample(partial(confusion.confusion_matrix, labels, predicted))
    everyone = np.ones(len(labels), bool)
    chance = float(confusion.agreement_by_chance(matrix))
    worst_kappa = -chance / (1 - chance) if chance < 1 else -1.0

    def figure(metric: Figure, measured_on: np.ndarray = everyone, worst: float = 0.0) -> Json:
        patients = bootstrap.count(measured_on)
        return interval(float(metric(matrix)), metric(resampled), patients, (worst, 1.0)).to_dict()

    return {
        "scans": len(labels),
        "patients": bootstrap.count(),
        "accuracy": figure(confusion.accuracy),
        "balanced_accuracy": figure(confusion.balanced_accuracy),
        "kappa": figure(confusion.cohen_kappa, worst=worst_kappa),
        "sensitivity": {n: figure(_of(confusion.sensitivity, i), labels == i) for i, n in enumerate(LABELS)},
        "specificity": {n: figure(_of(confusion.specificity, i), labels != i) for i, n in enumerate(LABELS)},
        "confusion_matrix": matrix.tolist(),
    }


def _detection(truth: np.ndarray, called: np.ndarray, bootstrap: Bootstrap) -> Json:
    figures = _of_answers(np.where(truth, 0, 1), np.where(called, 0, 1), bootstrap)
    return {name: figures[name][LABELS[0]] for name in ("sensitivity", "specificity")}


def _areas(labels: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap) -> Json:
    one = {
        name: _area(partial(ranking.class_auc, probabilities, labels, i), [labels == i], bootstrap)
        for i, name in enumerate(LABELS)
    }
    occurring = [labels == i for i in range(len(LABELS)) if (labels == i).any()]
    return {**one, "macro": _area(partial(ranking.macro_auc, probabilities, labels), occurring, bootstrap)}


def _urgent(labels: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap) -> Json:
    truth, score = np.isin(labels, URGENT), ranking.urgent_probability(probabilities)
    return {
        "threshold": URGENT_THRESHOLD,
        **_detection(truth, score >= URGENT_THRESHOLD, bootstrap),
        "auc": _area(partial(ranking.auc, score, truth), [truth], bootstrap),
    }


def _area(figure: Figure, positives: list[np.ndarray], bootstrap: Bootstrap) -> Json:
    """An area is a mean over positives of the negatives they beat, and the reverse: the fewer of the two decide."""
    sides = [side for truth in positives for side in (truth, ~truth)]
    fewest = min(sides, key=bootstrap.count)
    return bootstrap.estimate(figure, fewest).to_dict()


def _calibration(labels: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap) -> Json:
    correct = probabilities.argmax(1) == labels
    error = partial(calibration.expected_calibration_error, probabilities.max(1), correct)
    score = partial(calibration.brier, probabilities, labels)
    return {
        "ece": bootstrap.estimate(error).to_dict(),
        "brier": bootstrap.estimate(score, within=(0.0, 2.0)).to_dict(),
    }


def _selective(confidence: np.ndarray, wrong: np.ndarray, bootstrap: Bootstrap) -> Json:
    """AURC, and the risk at each tenth of coverage."""
    risk = partial(selective.risk_at, confidence, wrong, COVERAGES)
    at_all, resampled = risk(np.ones((1, len(wrong))))[0], bootstrap.resample(risk)
    curve = [
        {"coverage": coverage, "risk": interval(value, column, bootstrap.count()).to_dict()}
        for coverage, value, column in zip(COVERAGES, at_all, resampled.T, strict=True)
    ]
    return {"aurc": bootstrap.estimate(partial(selective.aurc, confidence, wrong)).to_dict(), "curve": curve}


def _of(metric: Callable[[np.ndarray], np.ndarray], label: int) -> Figure:
    return lambda matrix: metric(matrix)[..., label]
