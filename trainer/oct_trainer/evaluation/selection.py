"""Which scans of a data set are measured, and what of them the run has seen before. No TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_trainer.content import digest_of
from oct_trainer.dataset import Sample
from oct_trainer.layout import Layout, read_layout
from oct_trainer.run import FinishedRun
from oct_trainer.usable import require_identified
from oct_trainer.wording import counted

Split = Literal["train", "val", "test", "all"]


@dataclass(frozen=True)
class Seen:
    """Measured scans that the run had in one of its splits: the very bytes, or another scan of one of its patients."""

    by_bytes: int
    by_patient: int

    @property
    def scans(self) -> int:
        return self.by_bytes + self.by_patient

    def __bool__(self) -> bool:
        return self.scans > 0

    def to_dict(self) -> dict[str, int]:
        return {"scans": self.scans, **asdict(self)}


@dataclass(frozen=True)
class Selection:
    """The scans to measure, of which `split`, and how many of them the run has `seen` in `train` and in `val`.

    `same_data` says that the run knows some file of the data, so that a patient's number is the same person in both.
    """

    root: Path
    split: Split
    samples: tuple[Sample, ...]
    same_data: bool
    seen: dict[str, Seen]

    def warnings(self) -> list[str]:
        """What a reader of the figures has to know first."""
        found, scans = [], counted(len(self.samples), "scan")
        if train := self.seen["train"]:
            found.append(
                f"the network was trained on {train.by_bytes} of {scans}, and on other scans of the patients of "
                f"{train.by_patient} more: these figures are no test."
            )
        if val := self.seen["val"]:
            found.append(
                f"epoch and temperature were chosen on validation patients, of whom are {val.scans} of {scans}: "
                "these figures flatter."
            )
        return found


def select(
    data: Path, run: FinishedRun, split: Split | None = None, on_progress: Callable[[int, int], None] | None = None
) -> Selection:
    """The scans of `split` in the folder or CSV `data`.

    A scan that the run knows by name and bytes is in the split that the run had it in; for any other its place in the
    data counts. Without a `split`: `test` where there is one, else `val` of the run's own data, else all.

    Raises:
        DataSetError: there is no such scan, or one without a label, a patient or a file.
    """
    layout = read_layout(data)
    require_identified(layout)
    scans = _with_digests(layout, run, on_progress)
    same_data = not {row["sha256"] for row in run.split}.isdisjoint(digest for _, digest in scans)
    wanted = split or _default({sample.split for sample, _ in scans}, same_data)
    measured = [(sample, digest) for sample, digest in scans if wanted in (sample.split, "all")]
    if not measured:
        there = ", ".join(sorted({sample.split for sample, _ in scans}))
        raise DataSetError(f"{data}: there is no scan of `{wanted}`.", hint=f"There is {there}; choose with --split.")
    seen = {part: _seen(measured, run, part, same_data) for part in ("train", "val")}
    return Selection(layout.root, wanted, tuple(sample for sample, _ in measured), same_data, seen)


def _with_digests(
    layout: Layout, run: FinishedRun, on_progress: Callable[[int, int], None] | None
) -> list[tuple[Sample, str]]:
    """Each scan with its SHA-256, in the split that the run had it in, or else in that of the layout."""
    splits = {(row["path"], row["sha256"]): row["split"] for row in run.split}
    found = []
    for done, scan in enumerate(layout.scans, 1):
        digest = digest_of(scan.path) or ""
        sample = Sample(scan.path, LABELS.index(scan.label), scan.patient or "", scan.split)
        split = splits.get((sample.name(layout.root), digest), scan.split)
        found.append((replace(sample, split=split), digest))
        if on_progress:
            on_progress(done, len(layout.scans))
    return found


def _default(splits: set[str], same_data: bool) -> Split:
    if "test" in splits:
        return "test"
    return "val" if same_data and "val" in splits else "all"


def _seen(measured: Sequence[tuple[Sample, str]], run: FinishedRun, part: str, same_data: bool) -> Seen:
    rows = [row for row in run.split if row["split"] == part]
    digests, patients = {row["sha256"] for row in rows}, {row["patient"] for row in rows if same_data}
    by_bytes = sum(digest in digests for _, digest in measured)
    by_patient = sum(sample.patient in patients and digest not in digests for sample, digest in measured)
    return Seen(by_bytes, by_patient)
