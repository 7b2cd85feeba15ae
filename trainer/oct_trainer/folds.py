"""Cross-validation by patient: every scan to train on is validated once, by a model that has not seen its patient."""

import random
from collections import Counter
from dataclasses import replace

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.dataset import DataSet, Sample, rarest_classes
from oct_trainer.inseparable import counted_as, inseparable
from oct_trainer.layout import POOL


def folds(data: DataSet, count: int = 5, seed: int = 0) -> tuple[DataSet, ...]:
    """`count` data sets over the scans of `train` and `val`, each with another part of the patients as `val`.

    None has a `test`. Each class's scans are spread evenly: the patients with most scans are placed first, each into
    the part that has least of the class that the patient counts for. Patients who share the bytes of a scan go into one
    part. The parts depend on the scans and on `seed`, not on the order of the scans. A leak that was allowed stays
    marked.

    Raises:
        DataSetError: a class has not enough patients for every part.
        ValueError: a `count` below two.
    """
    if count < 2:
        raise ValueError(f"{count} parts leave nothing to train on: ask for two or more")
    pool = sorted((s for s in data.samples if s.split in POOL), key=lambda s: s.path)
    whom = inseparable(pool)
    people = counted_as(pool, whom)
    part_of = _part_patients(people, count, seed)
    _require_every_class(people, part_of, count, data)
    return tuple(
        replace(data, samples=tuple(_sided(s, part_of[whom[s.patient]] == part) for s in pool)) for part in range(count)
    )


def _part_patients(samples: list[Sample], count: int, seed: int) -> dict[str, int]:
    """Patients of the rarest class first: what they have of commoner classes is evened out by those who come after."""
    rng = random.Random(seed)
    scans = Counter((s.patient, s.label) for s in samples)
    sizes, totals = Counter(s.patient for s in samples), Counter(s.label for s in samples)
    counted_for = rarest_classes(samples)
    patients = sorted(counted_for)
    rng.shuffle(patients)
    patients.sort(key=lambda p: (totals[counted_for[p]], counted_for[p], -scans[p, counted_for[p]]))
    part_of: dict[str, int] = {}
    filled: Counter[tuple[int, int]] = Counter()
    loads: Counter[int] = Counter()
    for patient in patients:
        label = counted_for[patient]
        part = min(range(count), key=lambda part: (filled[part, label], loads[part], rng.random()))
        part_of[patient] = part
        loads[part] += sizes[patient]
        filled.update({(part, other): scans[patient, other] for other in range(len(LABELS))})
    return part_of


def _sided(sample: Sample, held_out: bool) -> Sample:
    return replace(sample, split="val" if held_out else "train")


def _require_every_class(samples: list[Sample], part_of: dict[str, int], count: int, data: DataSet) -> None:
    for label, name in enumerate(LABELS):
        parts = {part_of[s.patient] for s in samples if s.label == label}
        if len(parts) < count:
            raise DataSetError(
                f"{data.root}: class {name} has scans in {len(parts)} of {count} folds.",
                hint="Ask for fewer folds, or add scans of more patients of that class.",
            )
