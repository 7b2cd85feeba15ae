"""From probabilities to a referral, and what a clinic may set of it.

Referral is decided on p(CNV)+p(DME), not on the most likely class: 0.40/0.40/0/0.20 is urgent. Where no referral group
is likely enough, the label stays and the referral is left to a person; a suspicion of an urgent case is never hidden
that way. Whatever is set otherwise than in the model's card stands in the result's `overrides`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oct_edge.bundle import Bundle
from oct_edge.errors import ConfigurationError
from oct_edge.labels import GRADES, LABELS, URGENT, Group
from oct_edge.prior import EXAMPLE, WRONG, is_mix
from oct_edge.result import Reason, Referral

STRICT = 0.9  # the least confidence, where a person is to look at all but the plain cases


@dataclass(frozen=True)
class Decision:
    """Where the lines are. `weights` re-weigh the four probabilities for another mix of classes than in the training.

    With prior' the mix in the clinic and prior that of the training scans, p'(c) is p(c) * prior'(c) / prior(c), made
    to sum to 1 (Saerens et al. 2002).
    """

    threshold: float
    min_confidence: float
    weights: tuple[float, ...] | None
    overrides: Mapping[str, float]

    def reweighted(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities `[4]` for the clinic's own mix of classes."""
        if self.weights is None:
            return probabilities
        weighed = probabilities * np.array(self.weights)
        return np.asarray(weighed / weighed.sum())

    def refer(self, probabilities: np.ndarray, doubt: Reason | None = None) -> tuple[Referral, tuple[Reason, ...]]:
        """The referral for probabilities `[4]`, and why it is left to a person, if it is."""
        p_urgent = round(float(probabilities[list(URGENT)].sum()), 4)  # what is said is what is decided on
        group, confidence = _likeliest_group(probabilities)
        reasons: tuple[Reason, ...] = (doubt,) if doubt else ()
        if p_urgent >= self.threshold:
            group = "urgent"
        else:
            if confidence < self.min_confidence:
                reasons += (_low_confidence(confidence, self.min_confidence),)
            group = "human_review" if reasons else group
        return Referral(group, p_urgent, self.threshold), reasons


def decision_of(
    bundle: Bundle,
    *,
    threshold: float | None = None,
    strict: bool = False,
    prior: Mapping[str, float] | None = None,
) -> Decision:
    """The decision as a model has it, with what is set otherwise.

    Raises:
        ConfigurationError: a prior that is none, or a card that does not say what mix the model was trained on.
    """
    overrides: dict[str, float] = {}
    if threshold is not None:
        overrides["threshold"] = threshold
    if strict:
        overrides["min_confidence"] = max(STRICT, bundle.min_confidence)
    weights = _weights(bundle.card, prior) if prior else None
    overrides |= {f"prior_{label}": prior[label] for label in LABELS} if prior else {}
    return Decision(
        overrides.get("threshold", bundle.urgent_threshold),
        overrides.get("min_confidence", bundle.min_confidence),
        weights,
        overrides,
    )


def _weights(card: Mapping[str, Any], prior: Mapping[str, float]) -> tuple[float, ...]:
    if not is_mix(prior):
        raise ConfigurationError(f"the prior has to {WRONG}.", hint=f"For example {EXAMPLE}.")
    trained = card.get("training", {}).get("class_prior")
    if not trained:
        raise ConfigurationError(
            "the model's card does not say what mix of classes it was trained on, so no other can be set.",
            hint="Convert the model again with `oct-convert`, or leave the prior out.",
        )
    return tuple(prior[label] / float(trained[label]) for label in LABELS)


def _likeliest_group(probabilities: np.ndarray) -> tuple[Group, float]:
    """The likeliest of the groups that are not urgent, and its probability."""
    others = [
        (float(p), grade.group) for p, grade in zip(probabilities, GRADES, strict=True) if grade.group != "urgent"
    ]
    p, group = max(others)
    return group, p


def _low_confidence(confidence: float, needed: float) -> Reason:
    return Reason(
        "low_confidence",
        f"No referral group is likely enough ({confidence:.2f}; {needed:.2f} is needed).",
        "Have a person read this scan.",
    )
