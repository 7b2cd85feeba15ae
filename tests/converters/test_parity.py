"""The comparison, the gates and the decision, on logits whose answers are known."""

import numpy as np
import pytest

from oct_converters.decision import HIGHEST_THRESHOLD, choose_operating_point
from oct_converters.parity import Answers, Gates, compare, failures
from oct_edge.classifier import softmax
from oct_trainer.dataset import Sample
from oct_trainer.pictures import Pictures


def answers(float32: np.ndarray, int8: np.ndarray, labels: np.ndarray, tmp_path) -> Answers:
    samples = tuple(Sample(tmp_path / f"scan-{i}.jpeg", int(label), str(i), "test") for i, label in enumerate(labels))
    pictures = Pictures(samples, np.empty(0), labels, np.arange(len(labels)).astype(str), ())
    return Answers(pictures, float32, int8)


@pytest.fixture
def known(tmp_path) -> Answers:
    """Ten scans, all right before; the last is wrong afterwards."""
    labels = np.arange(10) % 4
    before = 4 * np.eye(4, dtype=np.float32)[labels]
    after = before.copy()
    after[9] = before[0]
    return answers(before, after, labels, tmp_path)


def test_a_flipped_scan_is_counted_and_named(known: Answers) -> None:
    parity = compare([known])
    assert (parity.scans, parity.accuracy_float32, parity.accuracy_int8) == (10, 1.0, 0.9)
    assert parity.agreement == pytest.approx(0.9)
    assert parity.changed == ("scan-9.jpeg",)
    top = softmax(np.array([4.0, 0, 0, 0]))
    assert parity.max_probability_change == pytest.approx(top[0] - top[1], rel=1e-6)
    assert parity.mean_probability_change == pytest.approx((top[0] - top[1]) / 10, rel=1e-6)


def test_parts_are_compared_as_one(known: Answers) -> None:
    assert compare([known, known]).scans == 20
    assert compare([known, known]).agreement == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        (Gates(0.1, 0.9), []),
        (Gates(0.099, 0.9), ["max-accuracy-drop"]),
        (Gates(0.1, 0.901), ["min-agreement"]),
        (Gates(), ["max-accuracy-drop", "min-agreement"]),
    ],
)
def test_each_gate_is_named_when_it_fails_and_limits_are_inclusive(
    known: Answers, gates: Gates, named: list[str]
) -> None:
    assert [sentence.split(":")[0] for sentence in failures(compare([known]), gates)] == named


def test_the_threshold_keeps_the_sensitivity_it_was_chosen_for() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 400)
    logits = rng.normal(0, 1, (400, 4)) + 1.2 * np.eye(4)[labels]
    point = choose_operating_point(logits, labels, 1.0, target=0.95)
    p_urgent = softmax(logits)[:, :2].sum(1)
    reached = (p_urgent[labels < 2] >= point.urgent_threshold).mean()
    assert reached >= 0.95
    assert point.urgent_threshold < HIGHEST_THRESHOLD


def test_the_threshold_is_never_so_high_that_an_urgent_label_is_not_urgent() -> None:
    labels = np.arange(40) % 4
    assert choose_operating_point(20 * np.eye(4)[labels], labels, 1.0).urgent_threshold == HIGHEST_THRESHOLD
