"""What a clinic may set of the decision, and what it does."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.bundle import Bundle
from oct_edge.decision import STRICT, decision_of
from oct_edge.errors import ConfigurationError
from oct_edge.labels import LABELS

EVEN = dict.fromkeys(LABELS, 0.25)
shares = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(
    lambda values: dict(zip(LABELS, np.array(values) / sum(values), strict=True))
)


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> Callable[..., Bundle]:
    """A model with a threshold of 0.3, that needs a confidence of 0.5 and was trained on this mix."""

    def make(trained: dict[str, float] | None = EVEN, confidence: float = 0.5) -> Bundle:
        card = {"training": {"class_prior": trained} if trained else {}}
        return replace(bundle, urgent_threshold=0.3, min_confidence=confidence, card=card)

    return make


@pytest.fixture(scope="module")
def group(model: Callable[..., Bundle]) -> Callable[..., str]:
    def refer(probabilities: tuple[float, ...], **settings: Any) -> str:
        return decision_of(model(), **settings).refer(np.array(probabilities))[0].group

    return refer


def test_without_settings_it_is_the_cards_and_nothing_is_said(bundle: Bundle) -> None:
    decision = decision_of(bundle)
    assert decision.threshold == bundle.urgent_threshold
    assert decision.min_confidence == bundle.min_confidence
    assert (decision.weights, decision.overrides) == (None, {})


def test_a_threshold_moves_what_is_urgent(group: Any) -> None:
    scan = (0.2, 0.2, 0.0, 0.6)
    assert [group(scan), group(scan, threshold=0.5), group(scan, threshold=0.4)] == ["urgent", "observe", "urgent"]


def test_strict_leaves_all_but_the_plain_cases_to_a_person_and_hides_no_urgent_one(group: Any, model: Any) -> None:
    assert [group((0.05, 0.05, p, 0.9 - p), strict=True) for p in (0.0, 0.1)] == ["observe", "human_review"]
    assert group((0.2, 0.1, 0.0, 0.7), strict=True) == "urgent"
    assert decision_of(model(), strict=True).overrides == {"min_confidence": STRICT}


def test_strict_is_never_laxer_than_the_card(model: Any) -> None:
    assert decision_of(model(confidence=0.95), strict=True).min_confidence == 0.95


@given(probabilities=shares, prior=shares, trained=shares)
def test_another_mix_weighs_each_class_by_how_much_more_frequent_it_is(
    model: Any, probabilities: dict, prior: dict, trained: dict
) -> None:
    given_p = np.array([*probabilities.values()])
    found = decision_of(model(trained), prior=prior).reweighted(given_p)
    exact = np.array([probabilities[c] * prior[c] / trained[c] for c in LABELS])
    np.testing.assert_allclose(found, exact / exact.sum(), rtol=1e-9)


def test_the_mix_of_the_training_changes_nothing(model: Any) -> None:
    trained = {"CNV": 0.4, "DME": 0.1, "DRUSEN": 0.1, "NORMAL": 0.4}
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    found = decision_of(model(trained), prior=trained).reweighted(probabilities)
    np.testing.assert_allclose(found, probabilities)


def test_all_that_is_set_is_said(model: Any) -> None:
    decision = decision_of(model(), threshold=0.2, strict=True, prior=EVEN)
    assert decision.overrides == {"threshold": 0.2, "min_confidence": STRICT} | {f"prior_{c}": 0.25 for c in LABELS}
    json.dumps(dict(decision.overrides), allow_nan=False)


@pytest.mark.parametrize(
    "prior",
    [
        {"CNV": 0.5, "DME": 0.5},
        {**EVEN, "AMD": 0.0},
        {**EVEN, "CNV": 0.0, "DME": 0.5},
        {**EVEN, "CNV": -0.25, "DME": 0.75},
        {**EVEN, "CNV": 0.5},
        {**EVEN, "CNV": float("nan")},
    ],
    ids=str,
)
def test_a_prior_that_is_none_is_refused_with_an_example(model: Any, prior: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="sum to 1") as caught:
        decision_of(model(), prior=prior)
    assert "CNV=0.1" in caught.value.hint


def test_a_card_that_does_not_know_its_own_mix_can_have_no_other(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="does not say what mix"):
        decision_of(model(None), prior=EVEN)
