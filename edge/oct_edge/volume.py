"""A file's answers: one result for a scan; for a volume one result a frame, and a summary that is no more than a count.

A B-scan is not an eye. Nobody has measured what the frames of a volume together say about one, so the summary counts,
names the frame that a person should look at first, and refers nobody (`oct-edge/volume@1`).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, get_args

from oct_edge.classifier import Classifier, Prepared
from oct_edge.errors import MissingExtra, ScanError
from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.result import ModelIdentity, Result, Source, Status, line_of, rejected, schema_of, utc_now
from oct_edge.scan import Frames, open_frames, read_input

SCHEMA = "oct-edge/volume@1"


@dataclass(frozen=True)
class VolumeSource:
    """Where the volume came from: one file."""

    name: str
    sha256: str
    laterality: str | None


@dataclass(frozen=True)
class Highest:
    """The frame that is most suspicious of an urgent case, and its p(CNV)+p(DME)."""

    frame: int
    p_urgent: float


@dataclass(frozen=True)
class VolumeReferral:
    """None: no rule for volumes was validated, and a rule for B-scans is none for an eye."""

    group: None = None
    basis: Literal["not validated"] = "not validated"


@dataclass(frozen=True)
class Volume:
    """What the frames of one file were answered. `highest` is null where no frame was classified."""

    time: str
    source: VolumeSource
    frames: int
    statuses: dict[str, int]
    labels: dict[str, int]
    highest: Highest | None
    model: ModelIdentity
    referral: VolumeReferral = VolumeReferral()
    notes: tuple[str, ...] = ()
    schema: str = SCHEMA
    disclaimer: str = DISCLAIMER

    def to_json(self) -> str:
        """One line of ASCII, in the order of the contract."""
        return line_of(self, _ORDER)

    def text(self) -> str:
        """One line for people, without the name."""
        counts = [(label, self.labels[label]) for label in LABELS]
        counts += [(status, count) for status, count in self.statuses.items() if status != "classified"]
        said = ", ".join(f"{count} {what}" for what, count in counts if count)
        suspect = f"; highest p_urgent {self.highest.p_urgent:.2f} in #{self.highest.frame}" if self.highest else ""
        eye = f" ({self.source.laterality})" if self.source.laterality else ""
        return f"{self.frames} frames{eye}: {said}{suspect}; referral: {self.referral.basis} for volumes"


_ORDER = (
    *("schema", "time", "source", "frames", "statuses", "labels", "highest", "referral", "model", "notes"),
    "disclaimer",
)


def answers(classifier: Classifier, path: Path) -> Iterator[Result | Volume]:
    """The results of a file or of standard input, each as soon as it is known; of a volume the summary comes last.

    Raises:
        InferenceFailed: the interpreter failed, which says something about the device and not about the scan.
    """
    frames = opened(classifier, path)
    if isinstance(frames, Result):
        yield frames
        return
    results = []
    for number in frames.numbers:
        prepared = prepare(classifier, frames, number)
        results.append(prepared if isinstance(prepared, Result) else classifier.answer(prepared))
        yield results[-1]
    if frames.is_volume:
        yield summary(frames, results, classifier.identity)


def opened(classifier: Classifier, path: Path) -> Frames | Result:
    """What a file or standard input holds, or why it is rejected."""
    data: bytes | None = None
    name = path.name or str(path)
    try:
        data, name = read_input(path)
        return open_frames(data, name)
    except (ScanError, MissingExtra) as error:
        sha256 = None if data is None else hashlib.sha256(data).hexdigest()
        return rejected(error, Source(name, sha256), classifier.identity)


def prepare(classifier: Classifier, frames: Frames, number: int | None) -> Prepared | Result:
    """One frame as the classifier takes it, or why it has no answer."""
    start = perf_counter()
    try:
        scan = frames.scan(number)
    except ScanError as error:
        return rejected(error, Source(frames.name, frames.sha256, number, frames.laterality), classifier.identity)
    return classifier.admit(scan, decode_ms=(perf_counter() - start) * 1000)


def summary(frames: Frames, results: Sequence[Result], model: ModelIdentity) -> Volume:
    """What the results of all frames of a volume come to."""
    statuses, labels = Counter(r.status for r in results), Counter(r.label for r in results)
    suspects = [
        Highest(r.source.frame, r.referral.p_urgent)
        for r in results
        if r.referral and r.referral.p_urgent is not None and r.source.frame is not None
    ]
    return Volume(
        time=utc_now(),
        source=VolumeSource(frames.name, frames.sha256, frames.laterality),
        frames=len(frames),
        statuses={status: statuses[status] for status in get_args(Status)},
        labels={label: labels[label] for label in LABELS},
        highest=max(suspects, key=lambda suspect: suspect.p_urgent, default=None),
        model=model,
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a volume's summary."""
    return schema_of(Volume, SCHEMA)
