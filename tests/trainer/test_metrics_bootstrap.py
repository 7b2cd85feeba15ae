"""Intervals that know what a patient is, and say so where they know nothing."""

import numpy as np
import pytest

from oct_edge.labels import LABELS
from oct_trainer import metrics
from oct_trainer.metrics.bootstrap import interval


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
    labels, predicted = np.random.default_rng(3).integers(0, 4, (2, 200))
    patients = np.arange(200) // 3
    assert metrics.summarise(labels, predicted, patients) == metrics.summarise(labels, predicted, patients)


def test_one_patient_shows_no_spread_so_the_interval_is_unknown() -> None:
    labels = np.arange(10) % 4
    figure = metrics.summarise(labels, labels * 0, np.full(10, "p"))["accuracy"]
    assert figure == {"value": 0.3, "low": None, "high": None}


def test_one_patient_whose_scans_are_all_right_leaves_nearly_everything_open() -> None:
    labels = np.arange(10) % 4
    figure = metrics.summarise(labels, labels, np.full(10, "p"))["accuracy"]
    assert figure == {"value": 1.0, "low": 0.025, "high": 1.0}


@pytest.mark.parametrize("patients", [1, 2, 10, 75])
def test_without_spread_the_interval_is_that_of_the_binomial_test(patients: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for value, right in ((1.0, patients), (0.0, 0)):
        exact = stats.binomtest(right, patients).proportion_ci(0.95, "exact")
        found = interval(value, np.full(2000, value), patients)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_all_right_bounds_kappa_where_the_accuracy_is_bounded() -> None:
    labels = np.arange(40) % 4
    found = metrics.summarise(labels, labels, np.arange(40))
    chance = 0.25
    assert found["kappa"]["value"] == 1
    assert found["kappa"]["low"] == pytest.approx((found["accuracy"]["low"] - chance) / (1 - chance), abs=1e-4)


def test_a_figure_that_no_resample_knows_has_no_interval() -> None:
    assert np.isnan(interval(0.5, np.full(2000, np.nan), 3).low)
    assert np.isnan(interval(np.nan, np.full(2000, np.nan), 0).high)


def test_every_resample_draws_as_many_patients_as_there_are() -> None:
    patients = np.array(["a", "a", "b", "c", "c", "c"])
    weights = metrics.Bootstrap(patients).resample(lambda weights: weights)
    assert weights.shape == (metrics.RESAMPLES, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()
    assert weights.mean() == pytest.approx(1, abs=0.02)


def test_many_scans_are_resampled_in_chunks_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = np.arange(50) // 2
    scores = np.random.default_rng(0).random(50)
    whole = metrics.Bootstrap(patients).resample(lambda weights: weights @ scores)
    monkeypatch.setattr("oct_trainer.metrics.bootstrap._CHUNK", 170)
    np.testing.assert_allclose(metrics.Bootstrap(patients).resample(lambda weights: weights @ scores), whole)


def test_nothing_is_less_than_zero_by_a_sign_alone() -> None:
    assert str(metrics.Estimate(0.0, -0.0, -1e-9).to_dict()["low"]) == "0.0"
    assert str(metrics.Estimate(0.0, -0.0, -1e-9).to_dict()["high"]) == "0.0"
