"""What lets a model be measured on what it was trained on: one patient, or one picture, on two sides of a split.

In the published form of OCT2017 `val` shares patients with `train`. Reading the data set repairs that, because both
are one pool from which validation is drawn anew by patient. Nothing repairs a patient of `test` who trains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oct_edge.errors import LeakingSplit
from oct_trainer.content import grouped, same_bytes
from oct_trainer.layout import POOL, SPLITS, Layout, Listed
from oct_trainer.wording import counted, few

Verdict = Literal["leak", "repaired", "note"]


@dataclass(frozen=True)
class Leak:
    """How many scans that may be trained on leak into what is measured on, and how many patients these scans are of."""

    patients: int
    scans: int


def verdict(scans: Sequence[Listed]) -> Verdict:
    """What it means that these files show one picture, or one patient.

    Across splits it is a leak, except between `train` and `val` for one patient, who ends on one side of the
    validation that is drawn anew.
    """
    splits = {scan.split for scan in scans}
    if len(splits) == 1:
        return "note"
    patients = {scan.patient for scan in scans}
    return "repaired" if splits <= POOL and len(patients) == 1 and None not in patients else "leak"


def judge_leak(layout: Layout, *, allow: bool = False) -> Leak | None:
    """The leak of the splits as they stand, by patient or by the very bytes of a file.

    Near copies are left to the audit, which decodes every picture.

    Raises:
        LeakingSplit: there is one, and it is not allowed.
    """
    scans = leaking_scans(layout.scans)
    if not scans:
        return None
    leak = Leak(len({scan.patient for scan in scans}), len(scans))
    if not allow:
        raise LeakingSplit(
            f"{layout.data}: the split leaks. {counted(leak.scans, 'scan')} to train on, of "
            f"{counted(leak.patients, 'patient')}, with the same patient or the very bytes on the other side: "
            f"{few([_named(scan) for scan in scans])}."
        )
    return leak


def leaking_scans(scans: Sequence[Listed]) -> list[Listed]:
    """By name, the scans to train on of which a split that is held out has the patient or the bytes."""
    groups = [*grouped(scans, lambda scan: scan.patient).values(), *same_bytes(scans, lambda scan: scan.split)]
    leaking = {scan for group in groups if verdict(group) == "leak" for scan in _trained_on(group)}
    return [scan for scan in scans if scan in leaking]


def _trained_on(group: Sequence[Listed]) -> list[Listed]:
    held_out = max((scan.split for scan in group), key=SPLITS.index)
    return [scan for scan in group if scan.split != held_out]


def _named(scan: Listed) -> str:
    return f"{scan.name} (patient {scan.patient})"
