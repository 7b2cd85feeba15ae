"""Plain figures of an inventory: how many scans of which class, split and patient, which sizes, and what is missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from oct_edge.labels import LABELS
from oct_trainer.audit.inventory import Entry
from oct_trainer.layout import POOL, SPLITS


@dataclass(frozen=True)
class SplitCounts:
    """One split, or all of them: scans of each class, and patients."""

    split: str
    classes: dict[str, int]
    scans: int
    patients: int


@dataclass(frozen=True)
class PatientCounts:
    """How unevenly the scans are spread; `scans` maps each patient to a number, the most first."""

    patients: int
    median: float
    most: int
    in_two_classes: int
    scans: dict[str, int]


def count_splits(entries: Sequence[Entry]) -> tuple[SplitCounts, ...]:
    """The splits that occur, in the usual order, and `all` at the end."""
    parts = [(name, [e for e in entries if e.split == name]) for name in SPLITS]
    return tuple(_count(name, part) for name, part in [*parts, ("all", entries)] if part)


def count_patients(entries: Sequence[Entry]) -> PatientCounts:
    known = [e for e in entries if e.patient]
    scans = Counter(e.patient for e in known if e.patient)
    classes = Counter(patient for patient, _ in {(e.patient, e.label) for e in known})
    ordered = dict(sorted(scans.items(), key=lambda item: (-item[1], item[0])))
    return PatientCounts(
        len(scans),
        median(scans.values()) if scans else 0,
        max(scans.values(), default=0),
        sum(count > 1 for count in classes.values()),
        ordered,
    )


def count_sizes(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """Scans of each class by image size, the commonest size first."""
    sizes = Counter(e.content.size for e in entries if e.content)
    labels = Counter((e.content.size, e.label) for e in entries if e.content)
    ordered = sorted(sizes, key=lambda size: (-sizes[size], size))
    return {size: {label: labels[size, label] for label in LABELS} for size in ordered}


def missing_classes(entries: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    """Each split and class without a scan; `train` and `val` are one pool, and a class may be in either."""
    there = {("train" if e.split in POOL else e.split, e.label) for e in entries}
    splits = sorted({split for split, _ in there} | {"train"}, key=lambda split: (split != "train", split))
    return tuple((split, label) for split in splits for label in LABELS if (split, label) not in there)


def _count(name: str, entries: Sequence[Entry]) -> SplitCounts:
    classes = Counter(e.label for e in entries)
    patients = {e.patient for e in entries if e.patient}
    return SplitCounts(name, {label: classes[label] for label in LABELS}, len(entries), len(patients))
