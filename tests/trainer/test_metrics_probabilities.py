"""What probabilities say: areas, calibration and abstention, against scikit-learn or against the plain definition."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.classifier import softmax
from oct_trainer import metrics

oracle = pytest.importorskip("sklearn.metrics")

FEW_SCORES = st.integers(0, 4).map(lambda step: step / 4)  # so that ties are common
SCANS = st.lists(st.tuples(FEW_SCORES, st.booleans()), min_size=1, max_size=30)


def random_answers(seed: int, scans: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, scans)
    return labels, softmax(rng.normal(0, 1, (scans, 4)) + 1.2 * np.eye(4)[labels])


def columns(scans: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in scans]), np.array([truth for _, truth in scans])


@settings(deadline=None)
@given(SCANS)
def test_the_area_is_that_of_scikit_learn_also_with_ties(scans: list[tuple[float, bool]]) -> None:
    scores, truth = columns(scans)
    expected = oracle.roc_auc_score(truth, scores) if len(set(truth)) == 2 else np.nan
    assert metrics.auc(scores, truth) == pytest.approx(expected, nan_ok=True)


@settings(deadline=None)
@given(SCANS, st.integers(0, 1000))
def test_a_weight_counts_a_scan_so_many_times(scans: list[tuple[float, bool]], seed: int) -> None:
    scores, truth = columns(scans)
    weights = np.random.default_rng(seed).integers(0, 4, (2, len(scans)))
    for figure in (metrics.auc, metrics.aurc, metrics.expected_calibration_error):
        found = figure(scores, truth, weights.astype(float))
        again = [float(figure(np.repeat(scores, row), np.repeat(truth, row))) for row in weights]
        assert found == pytest.approx(again, nan_ok=True)


def test_the_mean_confidence_is_that_of_the_answered_class_and_counts_weights() -> None:
    _, probabilities = random_answers(3)
    weights = np.arange(240).reshape(2, 120) % 3
    expected = [np.repeat(probabilities.max(1), row).mean() for row in weights]
    assert metrics.mean_confidence(probabilities, weights.astype(float)) == pytest.approx(expected)
    figure = metrics.confidence(probabilities, np.arange(120) // 3)
    assert figure["value"] == round(probabilities.max(1).mean(), 4)
    assert figure["low"] < figure["value"] < figure["high"]


@pytest.mark.parametrize("truth", [[True] * 5, [False] * 5])
def test_the_area_of_one_side_is_unknown(truth: list[bool]) -> None:
    assert np.isnan(metrics.auc(np.linspace(0, 1, 5), np.array(truth)))


def test_the_area_of_constant_scores_is_a_half() -> None:
    assert metrics.auc(np.full(9, 0.3), np.arange(9) < 4) == 0.5


@settings(deadline=None)
@given(SCANS)
def test_the_curve_is_that_of_scikit_learn(scans: list[tuple[float, bool]]) -> None:
    scores, truth = columns(scans)
    found = metrics.roc_curve(scores, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = oracle.roc_curve(truth, scores, drop_intermediate=False)
    for ours, theirs, known in zip(found, expected, (not truth.all(), truth.any(), True), strict=True):
        if known:
            np.testing.assert_allclose(ours, theirs)


def test_macro_area_is_that_of_scikit_learn() -> None:
    labels, probabilities = random_answers(0)
    found = metrics.evaluate(labels, probabilities, np.arange(len(labels)), 1.0)["auc"]
    expected = oracle.roc_auc_score(labels, probabilities, multi_class="ovr", average=None)
    assert [found[name]["value"] for name in found] == pytest.approx([*expected, expected.mean()], abs=1e-4)


def test_an_absent_class_has_no_area_and_the_macro_area_is_of_the_others() -> None:
    labels, probabilities = random_answers(1)
    known = labels != 1
    found = metrics.evaluate(labels[known], probabilities[known], np.arange(known.sum()), 1.0)["auc"]
    assert found["DME"] == {"value": None, "low": None, "high": None}
    others = [found[name]["value"] for name in ("CNV", "DRUSEN", "NORMAL")]
    assert found["macro"]["value"] == pytest.approx(np.mean(others), abs=1e-4)


def test_urgent_is_the_first_two_classes_together() -> None:
    labels, probabilities = random_answers(2)
    found = metrics.evaluate(labels, probabilities, np.arange(len(labels)), 1.0)["urgent"]
    truth, score = labels < 2, probabilities[:, 0] + probabilities[:, 1]
    assert found["auc"]["value"] == pytest.approx(oracle.roc_auc_score(truth, score), abs=1e-4)
    assert found["sensitivity"]["value"] == pytest.approx(oracle.recall_score(truth, score >= 0.5), abs=1e-4)
    assert found["specificity"]["value"] == pytest.approx(oracle.recall_score(~truth, score < 0.5), abs=1e-4)


def test_an_area_without_spread_is_as_sure_as_its_rarer_side_has_patients() -> None:
    labels = np.repeat(np.arange(4), (3, 20, 20, 20))
    found = metrics.evaluate(labels, softmax(9.0 * np.eye(4)[labels]), np.arange(63), 1.0)["auc"]
    assert found["CNV"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 3), abs=1e-4), "high": 1.0}
    assert found["macro"]["low"] == found["CNV"]["low"]


@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_is_that_of_scikit_learns_bins(seed: int) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    labels, probabilities = random_answers(seed)
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    right, told = calibration.calibration_curve(correct, confidence, n_bins=15)
    shown = metrics.reliability(confidence, correct)
    there = shown.scans > 0
    np.testing.assert_allclose(shown.accuracy[there], right)
    np.testing.assert_allclose(shown.confidence[there], told)
    expected = (shown.scans[there] / len(labels)) @ np.abs(right - told)
    assert metrics.expected_calibration_error(confidence, correct) == pytest.approx(expected)


def some(labels: np.ndarray, answered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels, and probabilities by which these classes are answered, each with another confidence."""
    rng = np.random.default_rng(3)
    return labels, softmax(
        rng.uniform(0, 1, (len(labels), 4)) + rng.uniform(1, 5, (len(labels), 1)) * np.eye(4)[answered]
    )


DEGENERATE = {
    "random": lambda rng: some(rng.integers(0, 4, 90), rng.integers(0, 4, 90)),
    "a class absent": lambda rng: some(rng.integers(1, 4, 60), rng.integers(0, 4, 60)),
    "neither urgent class": lambda rng: some(rng.integers(2, 4, 60), rng.integers(0, 4, 60)),
    "one class only": lambda rng: some(np.full(20, 1), rng.integers(0, 4, 20)),
    "all correct": lambda rng: some(*(np.arange(40) % 4,) * 2),
    "all wrong": lambda rng: some(np.arange(40) % 4, (np.arange(40) + 1) % 4),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_an_evaluation_has_the_figures_of_scikit_learn(case: str) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    labels, probabilities = DEGENERATE[case](np.random.default_rng(2))
    found = metrics.evaluate(labels, probabilities, np.arange(len(labels)), 1.0)
    predicted, urgent = probabilities.argmax(1), labels < 2
    p_urgent = probabilities[:, :2].sum(1)

    def recall(truth: np.ndarray, called: np.ndarray) -> float:
        return oracle.recall_score(truth, called, zero_division=np.nan)

    def area(truth: np.ndarray, score: np.ndarray) -> float:
        return oracle.roc_auc_score(truth, score) if 0 < truth.sum() < len(truth) else np.nan

    sides = [(labels == i, predicted == i, probabilities[:, i]) for i in range(4)]
    areas = [area(truth, score) for truth, _, score in sides]
    right = predicted == labels
    fraction, told = calibration.calibration_curve(right, probabilities.max(1), n_bins=15, pos_label=True)
    scans = metrics.reliability(probabilities.max(1), right).scans
    expected = {
        "accuracy": oracle.accuracy_score(labels, predicted),
        "sensitivity": [recall(truth, called) for truth, called, _ in sides],
        "specificity": [recall(~truth, ~called) for truth, called, _ in sides],
        "auc": [*areas, np.nanmean(areas) if not np.isnan(areas).all() else np.nan],
        "urgent": [recall(urgent, p_urgent >= 0.5), recall(~urgent, p_urgent < 0.5), area(urgent, p_urgent)],
        "brier": oracle.brier_score_loss(labels, probabilities, labels=range(4), scale_by_half=False),
        "ece": scans[scans > 0] @ np.abs(fraction - told) / len(labels),
    }
    values = {
        "accuracy": found["accuracy"]["value"],
        **{name: [one["value"] for one in found[name].values()] for name in ("sensitivity", "specificity", "auc")},
        "urgent": [found["urgent"][name]["value"] for name in ("sensitivity", "specificity", "auc")],
        **{name: found["calibration"]["before"][name]["value"] for name in ("brier", "ece")},
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(np.array(values[name], float), wanted, atol=6e-5, err_msg=name)


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not() -> None:
    labels = np.arange(12) % 4
    certain = np.eye(4)[labels]
    assert metrics.expected_calibration_error(certain.max(1), np.ones(12, bool)) == 0
    assert metrics.expected_calibration_error(certain.max(1), np.zeros(12, bool)) == 1
    assert metrics.brier(certain, labels) == 0
    assert metrics.brier(certain, (labels + 1) % 4) == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_brier_score_is_that_of_scikit_learn(seed: int) -> None:
    labels, probabilities = random_answers(seed)
    expected = oracle.brier_score_loss(labels, probabilities, labels=range(4), scale_by_half=False)
    assert metrics.brier(probabilities, labels) == pytest.approx(expected)


def test_the_brier_score_of_what_is_all_right_is_bounded_by_its_worst() -> None:
    labels = np.arange(12) % 4
    found = metrics.evaluate(labels, np.eye(4)[labels], np.arange(12), 1.0)["calibration"]["before"]
    margin = 1 - 0.025 ** (1 / 12)
    assert found["brier"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(2 * margin, abs=1e-4)}
    assert found["ece"]["high"] == pytest.approx(margin, abs=1e-4)


def test_the_temperature_of_a_calibrated_model_is_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 4))
    labels = np.array([rng.choice(4, p=p) for p in softmax(logits)])
    assert metrics.fit_temperature(logits, labels) == pytest.approx(1, abs=0.03)
    assert metrics.fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, abs=0.1)


def test_a_temperature_mends_probabilities_as_it_would_have_mended_the_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 4))
    np.testing.assert_allclose(metrics.with_temperature(softmax(logits), 2.5), softmax(logits / 2.5), atol=1e-12)


def test_a_probability_of_nothing_stays_a_probability() -> None:
    mended = metrics.with_temperature(np.eye(4), 8.0)
    assert np.isfinite(mended).all()
    np.testing.assert_allclose(mended.sum(1), 1)
    assert (mended.argmax(1) == np.arange(4)).all()


def plain_risk_coverage(confidence: np.ndarray, wrong: np.ndarray) -> list[tuple[float, float]]:
    """By the definition: for every threshold, who is answered, and how many of them wrongly."""
    thresholds = sorted(set(confidence), reverse=True)
    return [(float((confidence >= t).mean()), float(wrong[confidence >= t].mean())) for t in thresholds]


@settings(deadline=None)
@given(SCANS)
def test_risk_and_coverage_are_those_of_the_definition(scans: list[tuple[float, bool]]) -> None:
    confidence, wrong = columns(scans)
    expected = plain_risk_coverage(confidence, wrong)
    coverage, risk = metrics.risk_coverage(confidence, wrong)
    np.testing.assert_allclose(np.stack([coverage, risk], 1), expected)
    area = np.mean([dict(zip(sorted(set(confidence), reverse=True), risk, strict=True))[c] for c in confidence])
    assert metrics.aurc(confidence, wrong) == pytest.approx(area)
    for share, found in zip((0.1, 0.5, 1.0), metrics.risk_at(confidence, wrong, (0.1, 0.5, 1.0)), strict=True):
        assert found == pytest.approx(next(r for c, r in expected if c >= share - 1e-9))


def test_the_area_without_ties_is_the_mean_of_the_risks_so_far() -> None:
    rng = np.random.default_rng(4)
    confidence, wrong = rng.permutation(50) / 50, rng.random(50) < 0.3
    errors = np.cumsum(wrong[np.argsort(-confidence)])
    assert metrics.aurc(confidence, wrong) == pytest.approx((errors / np.arange(1, 51)).mean())


def test_all_answers_right_is_no_risk_and_all_wrong_is_all_of_it() -> None:
    labels, probabilities = np.zeros(20, int), np.tile([0.7, 0.1, 0.1, 0.1], (20, 1))
    for truth, risk in ((labels, 0.0), (labels + 1, 1.0)):
        found = metrics.evaluate(truth, probabilities, np.arange(20), 1.0)["selective"]
        assert found["aurc"]["value"] == risk
        assert {point["risk"]["value"] for point in found["curve"]} == {risk}
        assert [point["coverage"] for point in found["curve"]] == list(metrics.COVERAGES)


def test_every_figure_is_within_its_interval() -> None:
    labels, probabilities = random_answers(5)
    found = metrics.evaluate(labels, probabilities, np.arange(120) // 2, 1.3)

    def estimates(node: object) -> list[dict[str, float]]:
        if isinstance(node, dict) and set(node) == {"value", "low", "high"}:
            return [node]
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return [figure for child in children for figure in estimates(child)]

    every = estimates(found)
    assert len(every) == 3 + 4 + 4 + 5 + 3 + 4 + 11
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in every)
