"""Which scan belongs to whom, and who is trained on.

Reads the layout of OCT2017 (Kermany 2018): `train|val|test/<CLASS>/<CLASS>-<patient>-<n>.jpeg`. The published `val`
folder shares patients with `train`, so both are one pool here and validation is drawn anew from it, by patient. A
patient of `test` never trains: in some copies of the data set such patients stand in `train` too, and are left out.
A patient's number is one person over all classes, since two eyes or two visits can differ in class.
"""

import csv
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_edge.scan import SUFFIXES
from oct_trainer.phantom.dataset import COMMENT

SPLIT_COLUMNS = ("path", "label", "patient", "split", "sha256")
_DRAWS = 100


@dataclass(frozen=True)
class Sample:
    """One scan on disk: `label` is an index into `LABELS`, `split` one of `train`, `val`, `test`."""

    path: Path
    label: int
    patient: str
    split: str


@dataclass(frozen=True)
class DataSet:
    """Patient-separated samples, and how many scans were left out of training because `test` has their patient."""

    root: Path
    samples: tuple[Sample, ...]
    withheld: int

    def split(self, name: str) -> tuple[Sample, ...]:
        return tuple(s for s in self.samples if s.split == name)


def read_dataset(root: Path, *, val_fraction: float = 0.15, seed: int = 0, limit: int | None = None) -> DataSet:
    """The data set under `root`, split by patient.

    `val_fraction` of the patients of each class are held out for validation, the same ones for the same `seed`;
    `limit` keeps at most so many scans of each split, taken from the classes in turn.

    Raises:
        DataSetError: no such folder, a file that does not follow the naming, or a class that cannot be both trained on
            and validated.
    """
    pool = [*_read_split(root, "train"), *_read_split(root, "val")]
    test = _read_split(root, "test")
    tested = {s.patient for s in test}
    free = [s for s in pool if s.patient not in tested]
    _require_classes(free, root)
    held_out = _draw_patients(free, val_fraction, seed, root)
    parts = {
        "train": [replace(s, split="train") for s in free if s.patient not in held_out],
        "val": [replace(s, split="val") for s in free if s.patient in held_out],
        "test": test,
    }
    samples = [s for part in parts.values() for s in (part if limit is None else _limited(part, limit))]
    return DataSet(root, tuple(samples), len(pool) - len(free))


def write_split(samples: Iterable[Sample], sha256: Iterable[str], root: Path, path: Path) -> str:
    """Write the split as CSV and return the SHA-256 of it: the identity of this data, in this split."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(SPLIT_COLUMNS)
        for sample, digest in zip(samples, sha256, strict=True):
            name = sample.path.relative_to(root).as_posix()
            rows.writerow((name, LABELS[sample.label], sample.patient, sample.split, digest))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def patient_of(path: Path) -> str | None:
    """The patient in a name `<CLASS>-<patient>-<n>`; None for any other name."""
    parts = path.stem.split("-")
    return parts[1] if len(parts) >= 3 and parts[0].upper() in LABELS else None


def phantom_count(samples: Iterable[Sample]) -> int:
    """How many of the scans say of themselves, in their JPEG comment, that they are synthetic."""
    return sum(_is_phantom(sample.path) for sample in samples)


def class_counts(samples: Iterable[Sample]) -> dict[str, int]:
    counts = dict.fromkeys(LABELS, 0)
    for sample in samples:
        counts[LABELS[sample.label]] += 1
    return counts


def _is_phantom(path: Path) -> bool:
    with Image.open(path) as image:
        return bool(image.info.get("comment") == COMMENT.encode())


def _read_split(root: Path, split: str) -> list[Sample]:
    folder = root / split
    try:
        present = folder.is_dir()
    except OSError as error:
        raise DataSetError(
            f"{folder}: cannot be read ({error.strerror}).", hint="Point --data at a folder that this user may read."
        ) from error
    if not present:
        if split == "train":
            raise DataSetError(
                f"{root}: there is no `train` folder.",
                hint="Point --data at a folder with train/CNV, train/DME, train/DRUSEN and train/NORMAL; "
                "`oct-train phantoms` makes one without any real scans.",
            )
        return []
    samples = []
    for label, name in enumerate(LABELS):
        paths = sorted(p for p in (folder / name).glob("*") if p.suffix.lower() in SUFFIXES)
        samples += [Sample(path, label, _patient(path), split) for path in paths]
    return samples


def _patient(path: Path) -> str:
    patient = patient_of(path)
    if patient is None:
        raise DataSetError(
            f"{path}: the name is not <CLASS>-<patient>-<n>.",
            hint="The patient is read from the name; without it, scans of one person would stand in two splits.",
        )
    return patient


def _require_classes(samples: Sequence[Sample], root: Path) -> None:
    for label, name in enumerate(LABELS):
        patients = {s.patient for s in samples if s.label == label}
        if len(patients) < 2:
            raise DataSetError(
                f"{root}: class {name} has {len(patients)} patients to train on, and needs two or more.",
                hint="One patient has to be held out for validation, and one has to stay in training.",
            )


def _draw_patients(samples: Sequence[Sample], fraction: float, seed: int, root: Path) -> set[str]:
    """Patients to hold out, the same share of each class; a patient of two classes counts for the rarer one.

    A draw that leaves a class, whose patients counted for another, without scans on one side is drawn again.
    """
    counts = class_counts(samples)
    classes: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        classes[sample.patient].add(sample.label)
    groups: dict[int, list[str]] = defaultdict(list)
    for patient in sorted(classes):
        groups[min(classes[patient], key=lambda label: (counts[LABELS[label]], label))].append(patient)
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
