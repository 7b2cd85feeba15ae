"""What stands in the way of using a layout: found before a picture is opened, all of one kind said at once."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.layout import POOL, Fault, Layout, Listed, as_utf8
from oct_trainer.wording import counted, few


def require_usable(layout: Layout) -> None:
    """Raise unless every scan has a patient, and every class has patients to train on and to hold out.

    Raises:
        DataSetError: it names the rows of the CSV, the files or the class.
    """
    require_identified(layout)
    _require_classes([scan for scan in layout.scans if scan.split in POOL], layout.data)


def require_identified(layout: Layout) -> None:
    """Raise unless every scan has a label that is known, a patient, a file, and a name that can be written down.

    Raises:
        DataSetError: it names the rows of the CSV, the folders or the files.
    """
    _require_rows(layout)
    _require_known_classes(layout)
    _require_names(layout.scans, layout.data)


def _require_rows(layout: Layout) -> None:
    faults = sorted([*layout.faults, *_faults(layout.scans)], key=lambda fault: fault.line)
    if faults:
        lines = few([f"line {fault.line}: {fault.what}" for fault in faults])
        raise DataSetError(
            f"{layout.data}: {counted(len(faults), 'row')} cannot be used: {lines}.",
            hint="Correct or remove what is named. A path is relative to the CSV's folder, with forward slashes.",
        )


def _faults(scans: Sequence[Listed]) -> Iterator[Fault]:
    """Rows without a patient, without a file, or with a file that a row before has."""
    lines: dict[str, int] = {}
    for line, scan in sorted(((s.line, s) for s in scans if s.line is not None), key=lambda pair: pair[0]):
        first = lines.setdefault(os.path.normpath(scan.path), line)
        if scan.doubt:
            yield Fault(line, scan.doubt)
        elif first != line:
            yield Fault(line, f"{scan.name} stands in line {first} already")
        elif not os.path.isfile(scan.path):  # noqa: PTH113  pathlib's raises where a name is too long
            yield Fault(line, f"no file {scan.name} can be found")


def _require_known_classes(layout: Layout) -> None:
    if layout.foreign:
        raise DataSetError(
            f"{layout.data}: there are scans in folders of other classes than {', '.join(LABELS)}: "
            f"{few(layout.foreign)}.",
            hint="Move these folders out of the data: no network here would ever answer with such a class.",
        )


def _require_names(scans: Sequence[Listed], data: Path) -> None:
    unnamed = [scan.name for scan in scans if scan.patient is None]
    if unnamed:
        raise DataSetError(
            f"{data}: {counted(len(unnamed), 'scan')} without a name <CLASS>-<patient>-<n>: {few(unnamed)}.",
            hint="The patient is read from the name; without it, scans of one person would stand in two splits.",
        )
    foreign = [scan.name for scan in scans if as_utf8(scan.path.name) != scan.path.name]
    if foreign:
        raise DataSetError(
            f"{data}: {counted(len(foreign), 'scan')} with a name that is not UTF-8: {few(foreign)}.",
            hint="Rename them: a run writes down the names of all its scans.",
        )


def _require_classes(scans: Sequence[Listed], data: Path) -> None:
    for name in LABELS:
        patients = {scan.patient for scan in scans if scan.label == name}
        if len(patients) < 2:
            raise DataSetError(
                f"{data}: class {name} has {len(patients)} patients to train on, and needs two or more.",
                hint="One patient has to be held out for validation, and one has to stay in training.",
            )
