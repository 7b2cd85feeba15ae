"""The comparison, the gates and the decision, on logits whose answers are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oct_converters.decision import HIGHEST_THRESHOLD, choose_operating_point
from oct_converters.parity import KERAS, Answers, Gates, Urgency, compare, failures, hold_out
from oct_converters.parity.held_out import HeldOut
from oct_edge.classifier import softmax
from oct_edge.errors import RunError
from oct_trainer.dataset import Sample
from oct_trainer.metrics import compare_paired
from oct_trainer.pictures import Pictures

SCANS = 200
URGENCY = Urgency(temperature=1.0, threshold=0.5)


def answers(before: np.ndarray, after: np.ndarray, labels: np.ndarray, split: str = "test") -> Answers:
    samples = tuple(Sample(Path(f"scan-{i}.jpeg"), int(label), str(i // 2), split) for i, label in enumerate(labels))
    patients = np.array([sample.patient for sample in samples])
    digests = tuple(str(i) for i in range(len(labels)))
    pictures = Pictures(samples, np.empty((len(labels), 0)), labels, patients, digests)
    return Answers(pictures, np.full(len(labels), split), {KERAS: before, "litert": after})


@pytest.fixture
def known() -> Answers:
    """All right before; the last four scans are CNV afterwards, one of them by less than a whisker."""
    labels = np.tile([3, 1, 2, 3], SCANS // 4)
    before = 4 * np.eye(4, dtype=np.float32)[labels]
    before[-1] = [1.0, 0, 0, 1.01]
    after = before.copy()
    after[-4:] = 4 * np.eye(4)[0]
    return answers(before, after, labels)


def test_a_flip_counts_only_where_the_parent_had_decided(known: Answers) -> None:
    found = compare(known, "litert", min_margin=0.02)
    assert [flip.scan for flip in found.flips] == [f"scan-{SCANS - n}.jpeg" for n in (4, 3, 2, 1)]
    assert [flip.counted for flip in found.flips] == [True, True, True, False]
    assert {(flip.before, flip.after) for flip in found.flips[:3]} == {(n, "CNV") for n in ("NORMAL", "DME", "DRUSEN")}
    assert found.agreement == 1 - 3 / SCANS
    assert compare(known, "litert", min_margin=0.0).agreement == 1 - 4 / SCANS


def test_changes_of_probability_are_those_of_the_class_that_changed_most(known: Answers) -> None:
    found = compare(known, "litert", 0.0)
    top = softmax(np.array([4.0, 0, 0, 0]))
    assert found.max_change == pytest.approx(top[0] - top[1], rel=1e-6)
    last = np.abs(softmax(known.logits[KERAS][-1]) - softmax(known.logits["litert"][-1])).max()
    assert found.mean_change == pytest.approx((3 * (top[0] - top[1]) + last) / SCANS, rel=1e-6)
    assert found.max_logit_change == 4


def test_held_out_patients_are_compared_in_pairs(known: Answers) -> None:
    found = hold_out(known, "litert", URGENCY)
    labels, patients = known.pictures.labels, known.pictures.patients
    paired = compare_paired(labels, known.logits[KERAS].argmax(1), known.logits["litert"].argmax(1), patients)
    assert (found.lost, found.gained, found.patients) == (4, 0, SCANS // 2)
    assert found.accuracy == paired.accuracy
    assert found.p_value == paired.p_value == 0.125
    assert found.sensitivity["DRUSEN"].value == pytest.approx(-1 / (SCANS // 4))
    assert found.sensitivity["DRUSEN"].low < -0.02 < found.sensitivity["DRUSEN"].high <= 0
    assert np.isnan(found.sensitivity["CNV"].value), "no CNV among them"
    assert found.urgent_sensitivity.value == 0, "DME for CNV is as urgent"
    assert found.urgent_specificity.value == pytest.approx(-3 / (3 * SCANS // 4))


def test_no_change_has_no_drop_but_says_what_it_could_not_have_seen(known: Answers) -> None:
    same = replace(known, logits={KERAS: known.logits[KERAS], "litert": known.logits[KERAS]})
    found = hold_out(same, "litert", URGENCY)
    assert found.drop_bound == 0
    assert found.resolution == pytest.approx(1 - 0.025 ** (2 / SCANS))
    assert found.accuracy.high == -found.accuracy.low == found.resolution


PASSING = Gates(min_agreement=0.9, max_lost=0.02, max_accuracy_drop=0.06, max_mean_change=0.03)


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        (PASSING, []),
        (replace(PASSING, min_agreement=1 - 3 / SCANS), []),
        (replace(PASSING, min_agreement=0.99), ["min-agreement"]),
        (replace(PASSING, max_lost=0.019), ["max-lost"]),
        (replace(PASSING, max_accuracy_drop=0.02), ["max-accuracy-drop"]),
        (replace(PASSING, max_mean_change=0.015), ["max-mean-change"]),
        (replace(PASSING, min_agreement=1, min_margin=0.0, max_lost=0), ["min-agreement", "max-lost"]),
    ],
)
def test_each_gate_is_named_when_it_fails_and_limits_are_inclusive(
    known: Answers, gates: Gates, named: list[str]
) -> None:
    comparison = compare(known, "litert", gates.min_margin)
    found = failures({"litert": comparison}, {"litert": hold_out(known, "litert", URGENCY)}, gates)
    assert [failure.gate for failure in found] == named
    for failure in found:
        assert failure.message.startswith(failure.gate)
        assert failure.message.endswith("(litert)")
        assert failure.value != failure.limit


def test_urgent_scans_that_are_not_called_so_any_more_have_a_gate_of_their_own() -> None:
    """0.3 for CNV and 0.3 for DME are urgent; 0.2 each are not, and the first class is NORMAL before and after."""
    labels = np.tile([0, 3], 20)
    before = np.log(np.tile([[0.3, 0.3, 0.05, 0.35], [0.05, 0.05, 0.05, 0.85]], (20, 1)))
    after = before.copy()
    after[[0, 2]] = np.log([0.2, 0.2, 0.05, 0.55])
    found = answers(before, after, labels)
    held_out = hold_out(found, "litert", URGENCY)
    assert (held_out.lost, held_out.urgent_lost, held_out.urgent_gained, held_out.urgent_scans) == (0, 2, 0, 20)
    failed = failures({"litert": compare(found, "litert", 0)}, {"litert": held_out}, Gates())
    assert [failure.gate for failure in failed] == ["max-lost-urgent"]


def test_gates_that_ask_for_less_are_told() -> None:
    assert Gates().loosened() == []
    assert Gates(min_agreement=0.99, max_lost=0.0).loosened() == [], "stricter"
    loose = Gates(min_agreement=0.5, min_margin=1, max_mean_change=0.5)
    assert loose.loosened() == ["--min-agreement 0.5", "--max-mean-change 0.5", "--min-margin 1"]


def test_what_is_not_known_is_not_passed(known: Answers) -> None:
    nothing = replace(known, logits={KERAS: known.logits[KERAS] * np.nan, "litert": known.logits["litert"]})
    comparison = compare(nothing, "litert", 0.02)
    found = failures({"litert": comparison}, {"litert": hold_out(nothing, "litert", URGENCY)}, Gates())
    assert {"min-agreement", "max-mean-change"} <= {failure.gate for failure in found}
    assert next(failure for failure in found if failure.gate == "max-mean-change").value is None


def test_one_patient_proves_nothing_about_a_drop() -> None:
    labels = np.zeros(2, int)
    right = 4 * np.eye(4)[[0, 0]]
    found = answers(right, 4 * np.eye(4)[[0, 3]], labels)
    held_out = {"litert": hold_out(found, "litert", URGENCY)}
    gates = Gates(min_agreement=0, max_mean_change=1)
    failed = failures({"litert": compare(found, "litert", 0)}, held_out, gates)
    assert [failure.gate for failure in failed] == ["max-accuracy-drop"]


def test_one_lost_scan_is_never_too_many_and_what_was_gained_pays_for_it() -> None:
    labels = np.full(20, 3)
    right, wrong = 4 * np.eye(4)[[3] * 20], 4 * np.eye(4)[[3] * 20]
    wrong[0] = 4 * np.eye(4)[2]

    def lost(before: np.ndarray, after: np.ndarray) -> list[str]:
        found = answers(before, after, labels)
        gates = Gates(min_agreement=0, max_accuracy_drop=1, max_mean_change=1, max_lost=0)
        held_out = {"litert": hold_out(found, "litert", URGENCY)}
        return [failure.gate for failure in failures({"litert": compare(found, "litert", 0)}, held_out, gates)]

    assert lost(right, wrong) == []
    twice = wrong.copy()
    twice[1] = wrong[0]
    assert lost(right, twice) == ["max-lost"]
    other = right.copy()
    other[2] = wrong[0]
    assert lost(other, twice) == [], "two lost, one gained"


def test_a_split_is_taken_with_everything_that_belongs_to_it(known: Answers) -> None:
    mixed = replace(known, splits=np.where(np.arange(SCANS) < 50, "val", "test"))
    part = mixed.of("val")
    assert len(part.pictures.samples) == len(part.logits["litert"]) == 50
    assert part.pictures.samples[49].path.name == "scan-49.jpeg"
    assert len(mixed.of("val", "test").splits) == SCANS


def test_the_held_out_figures_are_json(known: Answers) -> None:
    import json

    found: HeldOut = hold_out(known, "litert", URGENCY)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["sensitivity_change"]["CNV"] == {"value": None, "low": None, "high": None}
    assert content["lost"] == 4


def test_the_threshold_keeps_the_sensitivity_it_was_chosen_for() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 400)
    logits = rng.normal(0, 1, (400, 4)) + 1.2 * np.eye(4)[labels]
    point = choose_operating_point(logits, labels, 1.0, target=0.95)
    p_urgent = softmax(logits)[:, :2].sum(1)
    reached = (p_urgent[labels < 2] >= point.urgent_threshold).mean()
    assert reached >= 0.95
    assert point.urgent_threshold < HIGHEST_THRESHOLD


def test_a_network_that_is_sure_of_the_opposite_has_no_threshold() -> None:
    labels = np.zeros(40, int)
    with pytest.raises(RunError, match="no threshold finds 95% of the urgent"):
        choose_operating_point(20 * np.eye(4)[np.full(40, 3)], labels, 1.0)


def test_the_threshold_is_never_so_high_that_an_urgent_label_is_not_urgent() -> None:
    labels = np.arange(40) % 4
    assert choose_operating_point(20 * np.eye(4)[labels], labels, 1.0).urgent_threshold == HIGHEST_THRESHOLD
