"""An audit for people: what there is, then what is wrong, the worst first, and what each thing means for training."""

from collections.abc import Iterator, Sequence
from itertools import islice

from oct_edge.labels import LABELS
from oct_edge.table import printable
from oct_trainer.audit.artefacts import Trait
from oct_trainer.audit.counts import count_patients, count_sizes, count_splits, missing_classes
from oct_trainer.audit.duplicates import Duplicate
from oct_trainer.audit.findings import Audit, SharedPatient
from oct_trainer.leaks import Verdict

SHOWN = 20  # lines of one kind; --json has them all


def rows(audit: Audit) -> Iterator[str]:
    """The lines of the report."""
    yield from _counts(audit)
    yield from _leaks(audit)
    yield from _section("repaired on reading (train and val become one pool)", _of(audit, "repaired"))
    yield from _section("the same picture twice in one split", _of(audit, "note"))
    yield from _section("one picture under two labels", [_duplicate(found) for found in audit.conflicts])
    yield from _section("the file gives the class away", [_trait(trait) for trait in audit.artefacts])
    yield from _broken(audit)
    yield ""
    yield _last_line(audit)


def _counts(audit: Audit) -> Iterator[str]:
    line = "{:<12}" + "{:>8}" * (len(LABELS) + 1) + "{:>10}"
    yield line.format("scans", *LABELS, "all", "patients")
    for split in count_splits(audit.entries):
        yield line.format(split.split, *split.classes.values(), split.scans, split.patients)
    yield ""
    yield line.format("image size", *LABELS, "all", "").rstrip()
    for size, classes in count_sizes(audit.entries).items():
        yield line.format(size, *classes.values(), sum(classes.values()), "").rstrip()
    yield ""
    yield from _patients(audit)


def _patients(audit: Audit) -> Iterator[str]:
    patients = count_patients(audit.entries)
    if not patients.patients:
        yield "no patients known"
        return
    most = ", ".join(f"{printable(name)} ({scans})" for name, scans in islice(patients.scans.items(), 3))
    yield f"{patients.patients} patients, {patients.median:g} scans in the median and {patients.most} at most: {most}"
    if patients.in_two_classes:
        yield f"{patients.in_two_classes} of them have scans in two classes or more"


def _leaks(audit: Audit) -> Iterator[str]:
    yield from _section("LEAK: patients in more than one split", _of(audit, "leak", SharedPatient))
    yield from _section("LEAK: the same picture in more than one split", _of(audit, "leak", Duplicate))


def _of(audit: Audit, verdict: Verdict, kind: type = object) -> list[str]:
    patients = [_patient(p) for p in audit.shared_patients if p.verdict == verdict and isinstance(p, kind)]
    return patients + [_duplicate(d) for d in audit.duplicates if d.verdict == verdict and isinstance(d, kind)]


def _broken(audit: Audit) -> Iterator[str]:
    missing = [f"{label} has no scan in {split}" for split, label in missing_classes(audit.entries)]
    yield from _section("classes missing", missing)
    unreadable = [f"{e.name}: {e.problem[0]} ({e.problem[1]})" for e in audit.entries if e.problem]
    yield from _section("unreadable: training stops at these", unreadable)
    yield from _section("folders of other classes: training stops at these", audit.inventory.foreign)
    yield from _section("names in doubt", [f"{e.name}: {e.doubt}" for e in audit.entries if e.doubt])
    yield from _section("never read", audit.inventory.ignored)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title}: {len(lines)}"
    for line in lines[:SHOWN]:
        yield f"  {printable(line)}"
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more; --json lists all"


def _patient(shared: SharedPatient) -> str:
    return f"{shared.patient}: " + ", ".join(f"{scans} in {split}" for split, scans in shared.scans.items())


def _duplicate(found: Duplicate) -> str:
    how = "same bytes"
    if found.kind == "near":
        how = f"{'mirrored ' if found.mirrored else ''}near copy, {found.bits} bits, r = {found.correlation:.3f}"
    notes = [how]
    if len(found.patients) > 1:
        notes.append(f"{len(found.patients)} patients")
    if found.conflict:
        notes.append(f"labels {' and '.join(found.labels)}")
    return f"{' = '.join(found.files)} ({', '.join(notes)})"


def _trait(trait: Trait) -> str:
    return (
        f"{trait.attribute} {trait.value}: {trait.counts[trait.label]} of {trait.scans} scans "
        f"({trait.patients} patients) are {trait.label}, {trait.share:.0%} where {trait.base_rate:.0%} is usual "
        f"(p {trait.p:.0e})"
    )


def _last_line(audit: Audit) -> str:
    leaks = len(audit.leaks)
    if not leaks:
        return "no leak"
    return f"{leaks} leak{'s' if leaks > 1 else ''}: figures measured on this split would be too good"
