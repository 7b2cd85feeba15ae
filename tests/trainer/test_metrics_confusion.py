"""What the answers say, against scikit-learn, on random and on degenerate data."""

import warnings

import numpy as np
import pytest

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


def test_kappa_is_that_of_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    labels, predicted = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = oracle.cohen_kappa_score(labels, predicted, labels=range(4))
    assert metrics.cohen_kappa(metrics.confusion_matrix(labels, predicted)) == pytest.approx(expected, nan_ok=True)


def test_kappa_of_one_class_that_is_always_answered_is_unknown() -> None:
    assert np.isnan(metrics.cohen_kappa(metrics.confusion_matrix(np.full(5, 2), np.full(5, 2))))


def test_a_weight_counts_a_scan_so_many_times(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predicted = case
    weights = np.random.default_rng(2).integers(0, 4, (3, len(labels)))
    found = metrics.confusion_matrix(labels, predicted, weights)
    for matrix, row in zip(found, weights, strict=True):
        again = metrics.confusion_matrix(np.repeat(labels, row), np.repeat(predicted, row))
        assert (matrix == again).all()
