"""Do two models answer alike? Needs no labels."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from oct_converters.parity.answers import KERAS, Answers
from oct_edge.classifier import softmax
from oct_edge.labels import LABELS


@dataclass(frozen=True)
class Flip:
    """A scan that is another class afterwards; `margin` is by how much the parent's first class led the second."""

    scan: str
    split: str
    truth: str
    before: str
    after: str
    margin: float
    counted: bool


@dataclass(frozen=True)
class Comparison:
    """A descendant beside the parent on `scans` scans; probabilities in 0..1.

    `agreement` leaves out the flips whose margin is below the stated minimum: what the parent itself did not decide is
    not lost. A scan's change is that of the class that changed most.
    """

    scans: int
    agreement: float
    flips: tuple[Flip, ...]
    mean_change: float
    max_change: float
    max_logit_change: float

    @property
    def counted(self) -> int:
        return sum(flip.counted for flip in self.flips)

    def to_dict(self) -> dict[str, Any]:
        """With the names of the scans that flipped, which may be patients'."""
        return self.summary() | {"flipped": [asdict(flip) for flip in self.flips]}

    def summary(self) -> dict[str, Any]:
        return {
            "scans": self.scans,
            "agreement": round(self.agreement, 6),
            "flips": len(self.flips),
            "flips_counted": self.counted,
            "mean_probability_change": round(self.mean_change, 6),
            "max_probability_change": round(self.max_change, 6),
            "max_logit_change": round(self.max_logit_change, 4),
        }


def compare(answers: Answers, reader: str, min_margin: float) -> Comparison:
    """The reader beside the parent. A flip counts where the parent's first class led by `min_margin` or more."""
    before, after = softmax(answers.logits[KERAS]), softmax(answers.logits[reader])
    changes = np.abs(before - after).max(axis=1)
    second, first = np.sort(before, axis=1)[:, -2:].T
    flipped = np.flatnonzero(before.argmax(1) != after.argmax(1))
    flips = tuple(
        Flip(
            scan=answers.pictures.samples[i].path.name,
            split=str(answers.splits[i]),
            truth=LABELS[answers.pictures.labels[i]],
            before=LABELS[before[i].argmax()],
            after=LABELS[after[i].argmax()],
            margin=round(float(first[i] - second[i]), 4),
            counted=not first[i] - second[i] < min_margin,
        )
        for i in flipped
    )
    return Comparison(
        scans=len(before),
        agreement=1 - sum(flip.counted for flip in flips) / len(before),
        flips=flips,
        mean_change=float(changes.mean()),
        max_change=float(changes.max()),
        max_logit_change=float(np.abs(answers.logits[KERAS] - answers.logits[reader]).max()),
    )
