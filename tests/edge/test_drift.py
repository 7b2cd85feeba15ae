"""Whether the answers of late are like what the card leads to expect: what is said, and what chance makes of it."""

import random
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import pytest

from oct_edge.bundle import Bundle
from oct_edge.classifier import Classifier
from oct_edge.drift import ALIKE, LATEST, NEEDED, UNLIKE, Drift, drift
from oct_edge.labels import LABELS

PRIOR = {"CNV": 0.35, "DME": 0.12, "DRUSEN": 0.08, "NORMAL": 0.45}
CARD = {
    "name": "plain",
    "training": {"class_prior": PRIOR},
    "metrics": {
        "int8": {
            "test": {
                "accuracy": {"value": 0.98, "low": 0.95, "high": 1.0},
                "confidence": {"value": 0.92, "low": 0.9, "high": 0.94},
            }
        }
    },
}


def answers(counts: Mapping[str, int], confidence: float = 0.92) -> list[tuple[str, float]]:
    """So many of each class, half a little more sure and half a little less."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [(label, confidence + (0.05 if i % 2 else -0.05)) for i, label in enumerate(labels)]


def as_trained(scans: int = LATEST) -> dict[str, int]:
    return {label: round(scans * share) for label, share in PRIOR.items()}


def card_with(**figures: Any) -> dict[str, Any]:
    return {**CARD, "metrics": {"int8": {"val": figures}}}


def test_too_few_answers_are_no_ground_for_anything() -> None:
    found = drift(answers({"DRUSEN": NEEDED - 1}, 0.3), CARD)
    assert found == Drift("plain", 99, ("Of 99 answers nothing can be said yet; 100 are needed.",))


def test_answers_as_expected_are_said_to_be() -> None:
    found = drift(answers(as_trained()), CARD)
    assert not found.conspicuous
    assert found.findings == (
        "The mix of classes is that of the training scans (PSI 0.00).",
        "The answers are no less sure than on held-out patients: 0.92 (0.91-0.93), confidence there 0.92 (0.90-0.94).",
    )


def test_another_mix_is_said_with_the_class_that_changed_most() -> None:
    found = drift(answers({"CNV": 20, "DME": 120, "DRUSEN": 10, "NORMAL": 50}), CARD)
    assert found.conspicuous
    assert found.mix is not None
    psi = sum((n / 200 - PRIOR[k]) * log(n / 200 / PRIOR[k]) for k, n in zip(LABELS, (20, 120, 10, 50), strict=True))
    assert found.mix.psi == pytest.approx(psi, rel=0.03)
    assert "unlike" in found.findings[0]
    assert "DME is 60% of the answers and 12% there" in found.findings[0]


def test_a_little_of_another_mix_is_said_and_asks_for_nothing() -> None:
    found = drift(answers({"CNV": 50, "DME": 50, "DRUSEN": 20, "NORMAL": 80}), CARD)
    assert found.mix is not None
    assert ALIKE <= found.mix.psi < UNLIKE
    assert not found.conspicuous
    assert "a little unlike" in found.findings[0]


def test_a_class_that_never_comes_is_no_infinity() -> None:
    found = drift(answers({"NORMAL": 200}), CARD)
    assert found.mix is not None
    assert 1 < found.mix.psi < 10
    none_expected = drift(answers(as_trained()), {**CARD, "training": {"class_prior": {"NORMAL": 1.0}}})
    assert none_expected.conspicuous


@pytest.mark.parametrize(("confidence", "conspicuous"), [(0.97, False), (0.9, False), (0.89, True), (0.6, True)])
def test_answers_that_are_less_sure_are_said(confidence: float, conspicuous: bool) -> None:
    found = drift(answers(as_trained(), confidence), CARD)
    assert found.conspicuous is conspicuous
    assert ("are less sure than" in found.findings[1]) is conspicuous


def test_a_card_without_a_confidence_has_its_accuracy() -> None:
    card = card_with(accuracy={"value": 0.98, "low": 0.95, "high": 1.0})
    found = drift(answers(as_trained(), 0.9), card)
    assert found.conspicuous
    assert found.findings[1].endswith("0.90 (0.89-0.91), accuracy there 0.98 (0.95-1.00).")
    unknown = card_with(accuracy={"value": 0.98, "low": None, "high": None})
    assert drift(answers(as_trained(), 0.9), unknown).findings[1].endswith("accuracy there 0.98.")


def test_of_two_splits_the_one_with_the_lower_end_counts() -> None:
    test = {"confidence": {"value": 0.97, "low": 0.95, "high": 0.99}}
    val = {"confidence": {"value": 0.9, "low": 0.85, "high": 0.94}, "accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    card = {**CARD, "metrics": {"int8": {"test": test, "val": val}}}
    found = drift(answers(as_trained(), 0.87), card)
    assert not found.conspicuous
    assert found.findings[1].endswith("confidence there 0.90 (0.85-0.94).")


@pytest.mark.parametrize("card", [{"name": "bare"}, {"name": "bare", "training": {}, "metrics": {"int8": {"val": {}}}}])
def test_a_card_that_says_nothing_is_held_against_nothing(card: dict[str, Any]) -> None:
    found = drift(answers({"DME": 200}, 0.3), card)
    assert (found.findings, found.conspicuous, found.mix, found.confidence) == ((), False, None, None)


@pytest.mark.parametrize("scans", [NEEDED, LATEST])
def test_chance_alone_hardly_ever_asks_to_look(scans: int) -> None:
    """A thousand clinics whose patients are those of the training scans."""
    chance = random.Random(1)
    psi, alarms = [], 0
    for _ in range(1000):
        drawn = chance.choices(list(PRIOR), list(PRIOR.values()), k=scans)
        found = drift([(label, min(1.0, chance.gauss(0.92, 0.1))) for label in drawn], CARD)
        assert found.mix is not None
        psi.append(found.mix.psi)
        alarms += found.conspicuous
    assert alarms <= 5
    assert sorted(psi)[970] < ALIKE


def test_the_scans_that_a_model_was_tested_with_ask_for_nothing(classifier: Classifier, oct2017: Path) -> None:
    results = [classifier.classify_file(path) for path in sorted((oct2017 / "test").glob("*/*.jpeg"))]
    found = [(str(r.label), r.probabilities[str(r.label)]) for r in results if r.probabilities]
    assert len(found) >= NEEDED
    assert not drift(found, classifier.bundle.card).conspicuous


def test_the_bundled_model_says_what_to_expect(bundle: Bundle) -> None:
    prior = bundle.card["training"]["class_prior"]
    found = drift(answers({label: round(LATEST * share) for label, share in prior.items()}, 0.94), bundle.card)
    assert found.model == bundle.name
    assert found.mix is not None
    assert found.confidence is not None
    assert found.mix.psi < 0.01
