"""Which scan belongs to whom, and who is trained on.

Whatever the layout (see `layout`), `test` is taken as it is given. `train` and `val` are one pool, from which
validation is drawn anew by patient, because the published `val` folder of OCT2017 shares patients with `train`. A
layout without splits is all pool. A patient of `test` who stands in the pool too, as in some copies of the data set, is
a leak, and refused unless it is allowed. A patient's number is one person over all classes, since two eyes or two
visits can differ in class. Patients who share the very bytes of a scan stay together (see `inseparable`).
"""

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from PIL import Image

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.content import digest_of
from oct_trainer.inseparable import counted_as, inseparable
from oct_trainer.layout import POOL, SPLITS, read_layout
from oct_trainer.leaks import Leak, judge_leak
from oct_trainer.phantom.dataset import COMMENT
from oct_trainer.usable import require_usable

SPLIT_COLUMNS = ("path", "label", "patient", "split", "sha256")
_DRAWS = 100


@dataclass(frozen=True)
class Sample:
    """One scan on disk: `label` is an index into `LABELS`, `split` one of `train`, `val`, `test`."""

    path: Path
    label: int
    patient: str
    split: str

    def name(self, root: Path) -> str:
        """The path relative to `root`, or absolute where a CSV named a scan elsewhere so."""
        return (self.path.relative_to(root) if self.path.is_relative_to(root) else self.path).as_posix()


@dataclass(frozen=True)
class DataSet:
    """Patient-separated samples, except for a `leak` that was allowed; `root` is what their paths are relative to."""

    root: Path
    samples: tuple[Sample, ...]
    leak: Leak | None = None

    def split(self, name: str) -> tuple[Sample, ...]:
        return tuple(s for s in self.samples if s.split == name)


def read_dataset(
    data: Path, *, val_fraction: float = 0.15, seed: int = 0, limit: int | None = None, allow_leak: bool = False
) -> DataSet:
    """The data set in the folder or CSV `data`, split by patient.

    `val_fraction` of the patients of each class are held out for validation, the same ones for the same `seed`;
    `limit` keeps at most so many scans of each split, taken from the classes in turn; `allow_leak` takes splits that
    leak as they stand.

    Raises:
        DataSetError: no layout that is known, a scan without a patient or without a file, or a class that cannot be
            both trained on and validated.
        LeakingSplit: what is measured on would be trained on.
    """
    layout = read_layout(data)
    require_usable(layout)
    leak = judge_leak(layout, allow=allow_leak)
    samples = [Sample(s.path, LABELS.index(s.label), s.patient or "", s.split) for s in layout.scans]
    pool = [s for s in samples if s.split in POOL]
    whom = inseparable(pool)
    held_out = _draw_patients(counted_as(pool, whom), val_fraction, seed, data)
    parts = (
        [replace(s, split="train") for s in pool if whom[s.patient] not in held_out],
        [replace(s, split="val") for s in pool if whom[s.patient] in held_out],
        [s for s in samples if s.split == "test"],
    )
    kept = [s for part in parts for s in (part if limit is None else _limited(part, limit))]
    return DataSet(layout.root, tuple(kept), leak)


def write_split(samples: Iterable[Sample], sha256: Iterable[str], root: Path, path: Path) -> str:
    """Write the split as CSV and return the SHA-256 of it: the identity of this data, in this split."""
    content = _split_csv(samples, sha256, root)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def split_digest(data: DataSet) -> str:
    """What `write_split` would return for all scans of the data, found without decoding one."""
    samples = in_order_of_splits(data.samples)
    content = _split_csv(samples, [digest_of(sample.path) or "" for sample in samples], data.root)
    return hashlib.sha256(content).hexdigest()


def in_order_of_splits(samples: Iterable[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: SPLITS.index(sample.split))


def phantom_count(samples: Iterable[Sample]) -> int:
    """How many of the scans say of themselves, in their JPEG comment, that they are synthetic."""
    return sum(_is_phantom(sample.path) for sample in samples)


def class_counts(samples: Iterable[Sample]) -> dict[str, int]:
    counts = dict.fromkeys(LABELS, 0)
    for sample in samples:
        counts[LABELS[sample.label]] += 1
    return counts


def rarest_classes(samples: Sequence[Sample]) -> dict[str, int]:
    """The one class that each patient counts for where patients are parted: of several the one with fewest scans."""
    counts = class_counts(samples)
    classes: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        classes[sample.patient].add(sample.label)
    return {p: min(labels, key=lambda label: (counts[LABELS[label]], label)) for p, labels in classes.items()}


def _split_csv(samples: Iterable[Sample], sha256: Iterable[str], root: Path) -> bytes:
    file = StringIO(newline="")
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(SPLIT_COLUMNS)
    for sample, digest in zip(samples, sha256, strict=True):
        rows.writerow((sample.name(root), LABELS[sample.label], sample.patient, sample.split, digest))
    return file.getvalue().encode()


def _is_phantom(path: Path) -> bool:
    with Image.open(path) as image:
        return bool(image.info.get("comment") == COMMENT.encode())


def _draw_patients(samples: Sequence[Sample], fraction: float, seed: int, root: Path) -> set[str]:
    """Patients to hold out, the same share of each class.

    A draw that leaves a class, whose patients counted for another, without scans on one side is drawn again.
    """
    counted_for = rarest_classes(samples)
    groups: dict[int, list[str]] = defaultdict(list)
    for patient in sorted(counted_for):
        groups[counted_for[patient]].append(patient)
    rng = random.Random(seed)
    for _ in range(_DRAWS):
        held_out = {p for label in sorted(groups) for p in rng.sample(groups[label], _share(groups[label], fraction))}
        sides = {(s.label, s.patient in held_out) for s in samples}
        lacking = [name for label, name in enumerate(LABELS) if not {(label, False), (label, True)} <= sides]
        if not lacking:
            return held_out
    raise DataSetError(
        f"{root}: the last of {_DRAWS} draws left {', '.join(lacking)} without scans to train on or to validate with.",
        hint="Patients of that class stand in other classes too; add scans of some who do not.",
    )


def _share(patients: Sequence[str], fraction: float) -> int:
    return min(max(1, round(fraction * len(patients))), len(patients) - 1)


def _limited(samples: Sequence[Sample], limit: int) -> list[Sample]:
    """At most `limit` samples, one class after the other, so that a small limit still shows every class."""
    queues = [[s for s in samples if s.label == label] for label in range(len(LABELS))]
    turns = [(turn, s) for queue in queues for turn, s in enumerate(queue)]
    kept = {s.path for _, s in sorted(turns, key=lambda pair: (pair[0], pair[1].label))[:limit]}
    return [s for s in samples if s.path in kept]
