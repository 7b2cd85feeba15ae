"""Two sets of answers to the same scans: the test against scipy's, the interval against what pairing must do."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_trainer import metrics

stats = pytest.importorskip("scipy.stats")


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_value_is_that_of_the_binomial_test(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert metrics.mcnemar(first, second) == pytest.approx(expected)


def test_mcnemar_takes_thousands() -> None:
    assert metrics.mcnemar(4000, 4000) == 1
    assert metrics.mcnemar(3900, 4100) == pytest.approx(stats.binomtest(3900, 8000).pvalue)
    assert metrics.mcnemar(1000, 7000) == pytest.approx(0, abs=1e-300)


def answers(seed: int, scans: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two sets of answers, the second better, that agree on most scans."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, scans)
    first = np.where(rng.random(scans) < 0.75, labels, (labels + 1) % 4)
    second = np.where(rng.random(scans) < 0.15, labels, first)
    return labels, first, second


def test_the_difference_is_that_of_the_two_figures() -> None:
    labels, first, second = answers(0)
    patients = np.arange(300) // 2
    found = metrics.compare_paired(labels, first, second, patients)
    figures = [metrics.summarise(labels, predicted, patients) for predicted in (first, second)]
    for name in ("accuracy", "balanced_accuracy"):
        expected = figures[1][name]["value"] - figures[0][name]["value"]
        assert getattr(found, name).value == pytest.approx(expected, abs=1.1e-4)
    assert (found.scans, found.patients) == (300, 150)
    assert found.only_second - found.only_first == round(300 * found.accuracy.value)
    assert found.p_value == metrics.mcnemar(found.only_first, found.only_second)


def test_pairing_cancels_what_both_have_in_common() -> None:
    labels, first, second = answers(1)
    patients = np.arange(300)
    paired = metrics.compare_paired(labels, first, second, patients).accuracy
    alone = metrics.summarise(labels, second, patients)["accuracy"]
    assert 0 < paired.low < paired.value < paired.high
    assert paired.high - paired.low < 0.9 * (alone["high"] - alone["low"])


def test_the_difference_turned_round_is_its_negative() -> None:
    labels, first, second = answers(2)
    patients = np.arange(300) // 3
    there = metrics.compare_paired(labels, first, second, patients)
    back = metrics.compare_paired(labels, second, first, patients)
    assert there.balanced_accuracy.value == pytest.approx(-back.balanced_accuracy.value)
    assert there.balanced_accuracy.low == pytest.approx(-back.balanced_accuracy.high, abs=5e-3)
    assert there.p_value == back.p_value


def test_the_same_answers_differ_by_nothing_and_that_is_not_certain() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    found = metrics.compare_paired(labels, labels, labels, np.arange(15)).to_dict()
    assert found["mcnemar_p"] == 1
    margin, rare = 1 - 0.025 ** (1 / 15), 1 - 0.025 ** (1 / 5)
    wanted = {"value": 0.0, "low": pytest.approx(-margin, abs=1e-4), "high": pytest.approx(margin, abs=1e-4)}
    assert found["accuracy_difference"] == wanted
    assert found["balanced_accuracy_difference"]["high"] == pytest.approx(rare, abs=1e-4)


def test_all_wrong_against_all_right() -> None:
    labels = np.arange(8) % 4
    found = metrics.compare_paired(labels, (labels + 1) % 4, labels, np.arange(8))
    assert (found.accuracy.value, found.accuracy.high) == (1, 1)
    assert found.accuracy.low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 8)))
    assert found.p_value == pytest.approx(2 / 2**8)


def test_one_patient_gives_no_interval() -> None:
    labels, first, second = answers(3)
    found = metrics.compare_paired(labels, first, second, np.zeros(300)).to_dict()
    assert found["accuracy_difference"]["value"] > 0
    assert found["accuracy_difference"]["low"] is None


def test_a_comparison_does_not_change() -> None:
    found = metrics.compare_paired(*answers(4), np.arange(300))
    with pytest.raises(FrozenInstanceError):
        found.scans = 0  # type: ignore[misc]
