"""What lets a model be measured on what it was trained on: one patient, or one picture, on two sides of a split.

In the published form of OCT2017 `val` shares patients with `train`. Reading the data set repairs that, because both
are one pool from which validation is drawn anew by patient. Nothing repairs a patient of `test` who trains.
"""

import hashlib
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from oct_edge.errors import LeakingSplit
from oct_trainer.layout import POOL, SPLITS, Layout, Listed
from oct_trainer.wording import counted, few

Verdict = Literal["leak", "repaired", "note"]
_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)


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
    groups = [*grouped(scans, lambda scan: scan.patient).values(), *_same_bytes(scans)]
    leaking = {scan for group in groups if verdict(group) == "leak" for scan in _trained_on(group)}
    return [scan for scan in scans if scan in leaking]


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key | None]) -> dict[_Key, list[_Item]]:
    """The items of each key, both in order of appearance; an item without a key is left out."""
    groups: dict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        if (found := key(item)) is not None:
            groups[found].append(item)
    return dict(groups)


def digest_of(scan: Listed) -> str | None:
    """The SHA-256 of the file; None where it cannot be read."""
    try:
        with scan.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _trained_on(group: Sequence[Listed]) -> list[Listed]:
    held_out = max((scan.split for scan in group), key=SPLITS.index)
    return [scan for scan in group if scan.split != held_out]


def _same_bytes(scans: Sequence[Listed]) -> list[list[Listed]]:
    """Files with one content. Read are those alone whose size occurs in two splits, a few in a hundred."""
    sizes = grouped(scans, _size).values()
    suspects = [scan for group in sizes if len({s.split for s in group}) > 1 for scan in group]
    return list(grouped(suspects, digest_of).values())


def _size(scan: Listed) -> int | None:
    """None for what is no file with content: reading the pictures will say what is wrong with it."""
    try:
        status = scan.path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size or None if stat.S_ISREG(status.st_mode) else None


def _named(scan: Listed) -> str:
    return f"{scan.name} (patient {scan.patient})"
