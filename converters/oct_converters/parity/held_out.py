"""Are the answers as right? The same held-out patients before and after, compared in pairs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from oct_converters.parity.answers import KERAS, Answers
from oct_edge.classifier import softmax
from oct_edge.labels import LABELS, URGENT
from oct_trainer.metrics import Bootstrap, Estimate, calibration_errors, mcnemar, rate_difference, urgent_probability
from oct_trainer.metrics.bootstrap import exact_margin


@dataclass(frozen=True)
class Urgency:
    """The decision that is held against both models: p(CNV) + p(DME) at this temperature reaches this threshold."""

    temperature: float
    threshold: float

    def called(self, logits: np.ndarray) -> np.ndarray:
        """bool `[n]`."""
        return np.asarray(urgent_probability(softmax(logits / self.temperature)) >= self.threshold)


@dataclass(frozen=True)
class HeldOut:
    """What changed from the parent to a descendant; changes are after minus before, each with a 95 % interval.

    `lost` scans were right in the parent alone, `gained` in the descendant alone; `urgent_lost` of the CNV and DME
    were called urgent by the parent alone, `urgent_gained` by the descendant alone. `resolution` is the drop in
    accuracy that so few patients could not exclude had no scan changed at all. `answered` counts the classes that the
    descendant names.
    """

    scans: int
    patients: int
    lost: int
    gained: int
    p_value: float
    resolution: float
    answered: int
    urgent_scans: int
    urgent_lost: int
    urgent_gained: int
    accuracy_before: Estimate
    accuracy_after: Estimate
    accuracy: Estimate
    sensitivity: dict[str, Estimate]
    urgent_sensitivity: Estimate
    urgent_specificity: Estimate

    @property
    def drop_bound(self) -> float:
        """The largest drop in accuracy within the paired interval: 0 where no scan was lost or gained."""
        return -self.accuracy.low if self.lost + self.gained else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "scans": self.scans,
            "patients": self.patients,
            "lost": self.lost,
            "gained": self.gained,
            "mcnemar_p": float(f"{self.p_value:.3g}"),
            "resolution": round(self.resolution, 4),
            "urgent_scans": self.urgent_scans,
            "urgent_lost": self.urgent_lost,
            "urgent_gained": self.urgent_gained,
            "accuracy_before": self.accuracy_before.to_dict(),
            "accuracy_after": self.accuracy_after.to_dict(),
            "accuracy_change": self.accuracy.to_dict(),
            "sensitivity_change": {name: change.to_dict() for name, change in self.sensitivity.items()},
            "urgent_sensitivity_change": self.urgent_sensitivity.to_dict(),
            "urgent_specificity_change": self.urgent_specificity.to_dict(),
        }


def hold_out(answers: Answers, reader: str, urgency: Urgency) -> HeldOut:
    """The reader beside the parent; `answers` holds scans of held-out patients only."""
    labels = answers.pictures.labels
    bootstrap = Bootstrap(answers.pictures.patients)
    before, after = answers.logits[KERAS], answers.logits[reader]
    right_before, right_after = before.argmax(1) == labels, after.argmax(1) == labels
    lost, gained = int((right_before & ~right_after).sum()), int((right_after & ~right_before).sum())
    urgent = np.isin(labels, URGENT)
    called_before, called_after = urgency.called(before), urgency.called(after)
    return HeldOut(
        scans=len(labels),
        patients=bootstrap.count(),
        lost=lost,
        gained=gained,
        p_value=mcnemar(lost, gained),
        resolution=exact_margin(bootstrap.count()),
        answered=len(np.unique(after.argmax(1))),
        urgent_scans=int(urgent.sum()),
        urgent_lost=int((urgent & called_before & ~called_after).sum()),
        urgent_gained=int((urgent & called_after & ~called_before).sum()),
        accuracy_before=_rate(right_before, bootstrap),
        accuracy_after=_rate(right_after, bootstrap),
        accuracy=rate_difference(right_before, right_after, bootstrap),
        sensitivity={
            name: rate_difference(right_before, right_after, bootstrap, labels == i) for i, name in enumerate(LABELS)
        },
        urgent_sensitivity=rate_difference(called_before, called_after, bootstrap, urgent),
        urgent_specificity=rate_difference(~called_before, ~called_after, bootstrap, ~urgent),
    )


def _rate(right: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    return bootstrap.estimate(lambda weights: weights @ right / weights.sum(-1))


def calibration_of(answers: Answers, reader: str, temperature: float) -> dict[str, Any]:
    """Calibration errors of both models, as they are and divided by the temperature."""
    return {
        stage: {
            name: calibration_errors(
                answers.pictures.labels,
                softmax(answers.logits[source].astype(np.float64) / by),
                answers.pictures.patients,
            )
            for name, by in (("as_is", 1.0), ("with_temperature", temperature))
        }
        for stage, source in (("before", KERAS), ("after", reader))
    }
