"""Our figures against scikit-learn's, and intervals that know what a patient is."""

import warnings

import numpy as np
import pytest

from oct_edge.labels import LABELS
from oct_trainer import metrics

CASES = {
    "random": lambda rng: (rng.integers(0, 4, 200), rng.integers(0, 4, 200)),
    "all correct": lambda rng: (np.arange(40) % 4,) * 2,
    "all wrong": lambda rng: (np.arange(40) % 4, (np.arange(40) + 1) % 4),
    "a class absent": lambda rng: (rng.integers(0, 3, 50), rng.integers(0, 4, 50)),
    "one class only": lambda rng: (np.full(10, 2), rng.integers(0, 4, 10)),
    "never predicted": lambda rng: (rng.integers(0, 4, 50), rng.integers(0, 3, 50)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    labels, predicted = CASES[request.param](np.random.default_rng(1))
    return labels, predicted


def test_figures_are_those_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    labels, predicted = case
    matrix = metrics.confusion_matrix(labels, predicted)
    assert (matrix == oracle.confusion_matrix(labels, predicted, labels=range(4))).all()
    assert metrics.accuracy(matrix) == pytest.approx(oracle.accuracy_score(labels, predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert metrics.balanced_accuracy(matrix) == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    recalls = oracle.recall_score(labels, predicted, labels=range(4), average=None, zero_division=np.nan)
    np.testing.assert_allclose(metrics.sensitivity(matrix), recalls)


def test_specificity_is_the_recall_of_the_rest(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predicted = case
    found = metrics.specificity(metrics.confusion_matrix(labels, predicted))
    for i in range(4):
        rest = labels != i
        expected = (predicted[rest] != i).mean() if rest.any() else np.nan
        assert found[i] == pytest.approx(expected, nan_ok=True)


def test_intervals_resample_patients_not_scans() -> None:
    labels = np.zeros(400, int)
    predicted = np.repeat(np.arange(8) % 2, 50)
    by_scan = metrics.summarise(labels, predicted, np.arange(400))["accuracy"]
    by_patient = metrics.summarise(labels, predicted, np.repeat(np.arange(8), 50))["accuracy"]
    assert by_scan["value"] == by_patient["value"] == 0.5
    assert by_patient["high"] - by_patient["low"] > 3 * (by_scan["high"] - by_scan["low"])


def test_an_interval_of_the_bootstrap_covers_the_binomial_one() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(1000, int)
    predicted = (rng.random(1000) > 0.9).astype(int)
    figure = metrics.summarise(labels, predicted, np.arange(1000))["accuracy"]
    half = 1.96 * np.sqrt(0.9 * 0.1 / 1000)
    assert figure["high"] - figure["low"] == pytest.approx(2 * half, rel=0.15)


def test_what_the_data_cannot_give_is_null_and_not_zero() -> None:
    found = metrics.summarise(np.zeros(5, int), np.zeros(5, int), np.arange(5))
    assert found["sensitivity"]["DME"] == {"value": None, "low": None, "high": None}
    assert found["specificity"]["CNV"]["value"] is None
    assert list(found["sensitivity"]) == list(LABELS)


def test_all_right_is_not_certain() -> None:
    """Nineteen scans of ten patients, all found: the exact lower bound for ten patients."""
    labels = np.full(19, 1)
    figure = metrics.summarise(labels, labels, np.arange(19) // 2)["sensitivity"]["DME"]
    assert figure == {"value": 1.0, "low": pytest.approx(0.6915, abs=1e-4), "high": 1.0}
    wrong = metrics.summarise(labels, labels * 0, np.arange(19) // 2)["sensitivity"]["DME"]
    assert wrong == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.6915, abs=1e-4)}


def test_the_same_predictions_give_the_same_interval() -> None:
    labels, predicted = CASES["random"](np.random.default_rng(3))
    patients = np.arange(200) // 3
    assert metrics.summarise(labels, predicted, patients) == metrics.summarise(labels, predicted, patients)
