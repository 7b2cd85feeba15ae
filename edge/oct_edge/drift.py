"""Whether the answers of late are like what the model's card leads to expect: a hint to look, and no verdict.

The mix of classes is held against that of the training scans by the population stability index (PSI): below 0.1 the two
are alike, from 0.25 on they are not. The mean confidence with its 95 % interval is held against that on held-out
patients, those of validation or test of whom less is known; a card without it has at least the accuracy there, which
the mean of calibrated probabilities comes near.

A clinic sees other patients than a data set holds, and scans of one patient are alike, so the interval is narrower than
it should be. What speaks louder than a figure is that it changed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import fmean, pstdev
from typing import Any

from oct_edge.labels import LABELS

LATEST = 200  # answers that are looked at
NEEDED = 100  # before anything is said of them: by chance alone, fewer reach 0.1 too often
ALIKE, UNLIKE = 0.1, 0.25
CAVEAT = "A clinic sees other patients than a data set holds: this is a hint to look at some scans, and no verdict."
_HALF = 0.5  # of a scan, added to each class, so that one which did not occur has a share
_95 = 1.96  # standard errors
_HELD_OUT = ("test", "val")


@dataclass(frozen=True)
class Mix:
    """Shares of the classes in the answers, and in the training scans."""

    shares: dict[str, float]
    expected: dict[str, float]
    psi: float


@dataclass(frozen=True)
class Interval:
    value: float
    low: float | None
    high: float | None

    @property
    def floor(self) -> float:
        return self.value if self.low is None else self.low

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" ({self.low:.2f}-{self.high:.2f})"
        return f"{self.value:.2f}{span}"


@dataclass(frozen=True)
class Confidence:
    """Mean probability of the class that was answered, and what it is held against."""

    mean: Interval
    expected: Interval
    is_accuracy: bool


@dataclass(frozen=True)
class Drift:
    """`findings` are sentences; `conspicuous` where one of them asks to look."""

    model: str | None
    answers: int
    findings: tuple[str, ...]
    conspicuous: bool = False
    mix: Mix | None = None
    confidence: Confidence | None = None


def drift(answers: Sequence[tuple[str, float]], card: Mapping[str, Any]) -> Drift:
    """What is to be said of the latest answers, each a label and its probability, of the model with this card."""
    name, scans = str(card["name"]), len(answers)
    if scans < NEEDED:
        return Drift(name, scans, (f"Of {scans} answers nothing can be said yet; {NEEDED} are needed.",))
    mix = _mix(Counter(label for label, _ in answers), card)
    confidence = _confidence([p for _, p in answers], card)
    said = [*_of_mix(mix), *_of_confidence(confidence)]
    return Drift(name, scans, tuple(text for text, _ in said), any(look for _, look in said), mix, confidence)


def _mix(counts: Counter[str], card: Mapping[str, Any]) -> Mix | None:
    prior = card.get("training", {}).get("class_prior")
    if not prior:
        return None
    scans = counts.total()
    shares = _smoothed({label: counts[label] for label in LABELS})
    expected = _smoothed({label: scans * prior.get(label, 0.0) for label in LABELS})
    psi = sum((shares[label] - expected[label]) * log(shares[label] / expected[label]) for label in LABELS)
    return Mix({label: round(counts[label] / scans, 4) for label in LABELS}, dict(prior), round(psi, 3))


def _smoothed(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values()) + _HALF * len(counts)
    return {label: (count + _HALF) / total for label, count in counts.items()}


def _confidence(probabilities: Sequence[float], card: Mapping[str, Any]) -> Confidence | None:
    found = card.get("metrics", {}).get("int8", {})
    splits = [found[split] for split in _HELD_OUT if split in found]
    is_accuracy = not all("confidence" in figures for figures in splits)
    given = [figures.get("accuracy" if is_accuracy else "confidence", {}) for figures in splits]
    known = [Interval(one["value"], one["low"], one["high"]) for one in given if one.get("value") is not None]
    if not known:
        return None
    mean, error = fmean(probabilities), _95 * pstdev(probabilities) / sqrt(len(probabilities))
    measured = Interval(round(mean, 4), round(mean - error, 4), round(min(1.0, mean + error), 4))
    return Confidence(measured, min(known, key=lambda interval: interval.floor), is_accuracy)


def _of_mix(mix: Mix | None) -> Iterable[tuple[str, bool]]:
    if mix is None:
        return
    label = max(LABELS, key=lambda label: abs(mix.shares[label] - mix.expected.get(label, 0.0)))
    most = f"{label} is {mix.shares[label]:.0%} of the answers and {mix.expected.get(label, 0.0):.0%} there"
    if mix.psi < ALIKE:
        yield f"The mix of classes is that of the training scans (PSI {mix.psi:.2f}).", False
    elif mix.psi < UNLIKE:
        yield f"The mix of classes is a little unlike that of the training scans (PSI {mix.psi:.2f}): {most}.", False
    else:
        yield f"The mix of classes is unlike that of the training scans (PSI {mix.psi:.2f}): {most}.", True


def _of_confidence(confidence: Confidence | None) -> Iterable[tuple[str, bool]]:
    if confidence is None:
        return
    less = confidence.mean.high is not None and confidence.mean.high < confidence.expected.floor
    what = "accuracy" if confidence.is_accuracy else "confidence"
    how = "less sure than" if less else "no less sure than"
    yield f"The answers are {how} on held-out patients: {confidence.mean}, {what} there {confidence.expected}.", less
