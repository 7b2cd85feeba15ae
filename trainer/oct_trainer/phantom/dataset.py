"""Writes phantoms as a data set in the layout of OCT2017, with patients who stand in one split each, a manifest,
and a note that nothing in it is real. Whatever is drawn for a scan beside its sign is drawn without its class.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from oct_edge.labels import LABELS
from oct_trainer.phantom.draw import Phantom, render_scan
from oct_trainer.phantom.fields import Stream, generator

COMMENT = "synthetic phantom"  # in every JPEG, so that a file says of itself what it is

_FIRST_PATIENT = 900_000_000
_SCANS_A_PATIENT = 4
_SIZES = ((512, 496), (512, 496), (512, 496), (768, 496), (768, 496), (1024, 496), (1536, 496), (512, 512))
_COLUMNS = ("path", "label", "patient", "split", "sha256", "width", "height", "lesions")
_README = """Synthetic phantoms

Every picture in this folder is a synthetic phantom, drawn by oct-train phantoms. None shows an eye, none comes
from a patient, and the patient numbers are made up (nine digits, the first a 9). The layout is that of OCT2017:
split/CLASS/CLASS-PATIENT-NUMBER.jpeg. manifest.csv lists each file with its SHA-256 and the boxes of its lesions
(left:top:right:bottom, right and bottom exclusive, joined by semicolons).

Scans: {count}. Seed: {seed}. Not for diagnosis.
"""


@dataclass(frozen=True)
class _Scan:
    """One scan to draw: where it stands and the seeds of its eye and of the rest of it."""

    label: str
    patient: int
    number: int
    split: str
    eye_seed: int
    scan_seed: int

    @property
    def path(self) -> str:
        return f"{self.split}/{self.label}/{self.label}-{self.patient}-{self.number}.jpeg"


def write_dataset(
    out: Path,
    count: int,
    seed: int,
    *,
    test_fraction: float = 0.2,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Writes `count` synthetic phantoms under `out` and returns how many that were.

    Classes differ by one scan at most. Each has at least one scan in either split, and in a set of 12 or more two
    patients in `train`, so that one can be held out. `on_progress` is told after each scan how many are done, of how
    many. Raises ValueError for a count under 8 or a fraction that is
    not between 0 and 1, FileExistsError for a folder that is not empty.
    """
    if count < 2 * len(LABELS):
        raise ValueError(f"{count} phantoms cannot give each class a scan in each split: ask for 8 or more")
    if not 0 < test_fraction < 1:
        raise ValueError(f"the test fraction is {test_fraction}: it must lie between 0 and 1")
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder")
    rows = []
    for scan in _plan(count, seed, test_fraction):
        rows.append(_write_scan(out, scan))
        if on_progress:
            on_progress(len(rows), count)
    _write_manifest(out / "manifest.csv", rows)
    (out / "README.txt").write_text(_README.format(count=len(rows), seed=seed), encoding="utf-8")
    return len(rows)


def _plan(count: int, seed: int, test_fraction: float) -> Iterator[_Scan]:
    """Every scan of the data set, class by class, patients filled one after the other."""
    rng = generator(seed, Stream.PATIENTS)
    patient = _FIRST_PATIENT + int(rng.integers(0, 90_000_000))
    for index, label in enumerate(LABELS):
        total = count // len(LABELS) + (index < count % len(LABELS))
        test = min(max(round(total * test_fraction), 1), total - 1)
        for split, wanted, at_least in (("train", total - test, 2), ("test", test, 1)):
            for scans in _patients(wanted, at_least, rng):
                patient += 1
                eye = int(rng.integers(0, 2**62))
                for number in range(1, scans + 1):
                    yield _Scan(label, patient, number, split, eye, int(rng.integers(0, 2**62)))


def _patients(scans: int, at_least: int, rng: np.random.Generator) -> Iterator[int]:
    """How many scans each patient has, until there are enough; `at_least` so many patients, if the scans suffice."""
    most = max(scans - at_least + 1, 1)
    while scans > 0:
        share = min(int(rng.integers(1, _SCANS_A_PATIENT + 1)), scans, most)
        scans -= share
        yield share


def _write_scan(out: Path, scan: _Scan) -> tuple[str | int, ...]:
    """Draws one scan, writes it, and returns its row of the manifest."""
    rng = generator(scan.scan_seed, Stream.FILE)
    width, height = _SIZES[int(rng.integers(0, len(_SIZES)))]
    phantom = render_scan(scan.label, scan.eye_seed, scan.scan_seed, width, height)
    data = _jpeg(phantom, int(rng.integers(70, 97)))
    path = out / scan.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest, lesions = (
        hashlib.sha256(data).hexdigest(),
        ";".join(":".join(map(str, box)) for box in phantom.lesions),
    )
    return scan.path, scan.label, scan.patient, scan.split, digest, width, height, lesions


def _jpeg(phantom: Phantom, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(phantom.pixels).save(buffer, "JPEG", quality=quality, comment=COMMENT)
    return buffer.getvalue()


def _write_manifest(path: Path, rows: list[tuple[str | int, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
