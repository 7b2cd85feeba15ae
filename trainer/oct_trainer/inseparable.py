"""Patients who have to stay on one side where patients are parted: those who share the very bytes of a scan.

The same file under two patients is one person under two numbers, or somebody's mistake. Either way a model that was
trained on one of them has seen what it is validated on in the other.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from oct_trainer.content import same_bytes

if TYPE_CHECKING:
    from oct_trainer.dataset import Sample


def inseparable(samples: "Sequence[Sample]") -> dict[str, str]:
    """For each patient the one to be counted as: the first by name of all whom shared scans connect, mostly oneself."""
    first = {sample.patient: sample.patient for sample in samples}

    def root(patient: str) -> str:
        while first[patient] != patient:
            patient = first[patient]
        return patient

    for scans in same_bytes(samples, lambda sample: sample.patient):
        for scan in scans[1:]:
            earlier, later = sorted((root(scans[0].patient), root(scan.patient)))
            first[later] = earlier
    return {patient: root(patient) for patient in first}


def counted_as(samples: "Sequence[Sample]", whom: dict[str, str]) -> "list[Sample]":
    """The samples as if each patient were the one to be counted as."""
    return [replace(sample, patient=whom[sample.patient]) for sample in samples]
