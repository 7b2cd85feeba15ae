"""What an audit found, and what of it is a leak (see `leaks`).

What reading the data set repairs is reported as repaired. Everything else is a note: it may be right, and a person
should know it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oct_edge.labels import DISCLAIMER
from oct_trainer.audit.artefacts import MAX_P, MIN_SCANS, Trait, find_traits
from oct_trainer.audit.counts import count_patients, count_sizes, count_splits, missing_classes
from oct_trainer.audit.duplicates import (
    MAX_BITS,
    MIN_CORRELATION,
    Duplicate,
    exact_duplicates,
    near_duplicates,
)
from oct_trainer.audit.inventory import Entry, Inventory, take_inventory
from oct_trainer.content import grouped
from oct_trainer.leaks import Verdict, verdict

SCHEMA = "oct-edge/audit@1"


@dataclass(frozen=True)
class SharedPatient:
    """A patient in more than one split, and how many scans of the patient stand in each."""

    patient: str
    verdict: Verdict
    scans: dict[str, int]


@dataclass(frozen=True)
class Audit:
    """Everything that was found under `root`."""

    root: str
    inventory: Inventory
    shared_patients: tuple[SharedPatient, ...]
    duplicates: tuple[Duplicate, ...]
    traits: tuple[Trait, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.inventory.entries

    @property
    def leaks(self) -> tuple[SharedPatient | Duplicate, ...]:
        found: tuple[SharedPatient | Duplicate, ...] = (*self.shared_patients, *self.duplicates)
        return tuple(one for one in found if one.verdict == "leak")

    @property
    def conflicts(self) -> tuple[Duplicate, ...]:
        return tuple(found for found in self.duplicates if found.conflict)

    @property
    def artefacts(self) -> tuple[Trait, ...]:
        return tuple(trait for trait in self.traits if trait.flagged)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints; the same for the same data."""
        return {
            "schema": SCHEMA,
            "root": self.root,
            "leaks": len(self.leaks),
            "splits": [asdict(split) for split in count_splits(self.entries)],
            "missing_classes": [{"split": split, "label": label} for split, label in missing_classes(self.entries)],
            "patients": asdict(count_patients(self.entries)),
            "image_sizes": count_sizes(self.entries),
            "unreadable": [
                {"path": e.name, "code": e.problem[0], "message": e.problem[1]} for e in self.entries if e.problem
            ],
            "misnamed": [{"path": e.name, "reason": e.doubt} for e in self.entries if e.doubt],
            "ignored": list(self.inventory.ignored),
            "other_classes": list(self.inventory.foreign),
            "shared_patients": [asdict(shared) for shared in self.shared_patients],
            "duplicates": [asdict(found) | {"label_conflict": found.conflict} for found in self.duplicates],
            "artefacts": [asdict(trait) for trait in self.traits],
            "thresholds": {
                "near_duplicate_bits": MAX_BITS,
                "near_duplicate_correlation": MIN_CORRELATION,
                "artefact_scans": MIN_SCANS,
                "artefact_p": MAX_P,
            },
            "disclaimer": DISCLAIMER,
        }


def run_audit(root: Path, on_progress: Callable[[int, int], None] | None = None) -> Audit:
    """Read and compare every scan under `root` (a folder, or a CSV of `path,label,patient[,split]`).

    `on_progress` is told how many scans are done, of how many.

    Raises:
        DataSetError: there are no scans to look at. Nothing else: what is wrong with a scan is in the answer.
    """
    inventory = take_inventory(root, on_progress)
    entries = inventory.entries
    duplicates = (*exact_duplicates(entries), *near_duplicates(entries))
    return Audit(str(root), inventory, _shared_patients(entries), duplicates, tuple(find_traits(entries)))


def _shared_patients(entries: Sequence[Entry]) -> tuple[SharedPatient, ...]:
    by_patient = grouped(entries, lambda entry: entry.patient)
    return tuple(
        SharedPatient(patient, verdict(scans), _count_by_split(scans))
        for patient, scans in sorted(by_patient.items())
        if len({e.split for e in scans}) > 1
    )


def _count_by_split(entries: Sequence[Entry]) -> dict[str, int]:
    return {part.split: part.scans for part in count_splits(entries) if part.split != "all"}
