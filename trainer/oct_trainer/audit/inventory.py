"""Every file of a data set, read once: what its place says of it, what its bytes say, and a fingerprint of its picture.

Three layouts are understood: `train|val|test/<CLASS>/`, `<CLASS>/` alone (which counts as `train`), and a CSV of
`path,label,patient[,split]`. What training would refuse is an entry like any other here, with the reason; what
training would not look at is listed as ignored. A picture is dropped as soon as its fingerprint is taken.
"""

import csv
import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from oct_edge.errors import DataSetError, ScanError
from oct_edge.labels import LABELS
from oct_edge.scan import SUFFIXES, decode_scan, read_bytes
from oct_trainer.audit.fingerprint import fingerprint
from oct_trainer.dataset import patient_of

SPLITS = ("train", "val", "test")
POOL = frozenset({"train", "val"})  # one pool when the data set is read: `dataset.py` draws validation anew from it


@dataclass(frozen=True, eq=False)
class Content:
    """What the bytes of a readable scan say. `table` is a short hash of the JPEG quantization tables."""

    sha256: str
    bytes: int
    width: int
    height: int
    mode: str
    table: str
    picture: np.ndarray

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, eq=False)
class Entry:
    """One file. `patient` is None where nothing tells; `doubt` says what is wrong with the name, and `problem` is the
    code and message of why there is no `content`."""

    name: str
    split: str
    label: str
    patient: str | None
    doubt: str | None = None
    content: Content | None = None
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class Inventory:
    """All entries by name, and what lies beside them and is never read."""

    entries: tuple[Entry, ...]
    ignored: tuple[str, ...]


def take_inventory(root: Path, on_progress: Callable[[int, int], None] | None = None) -> Inventory:
    """Read every scan under `root`, or every scan that the CSV `root` names; about 3 kB of memory each.

    Raises:
        DataSetError: nothing under `root` has one of the three layouts, or a folder in it is closed.
    """
    ignored: list[str] = []
    try:
        found = sorted(_listed(root, ignored), key=lambda pair: pair[1].name)
    except OSError as error:
        place = error.filename or root
        raise DataSetError(
            f"{place}: cannot be opened ({error.strerror}).", hint="Name a folder that this user may read."
        ) from error
    if not found:
        raise DataSetError(
            f"{root}: there are no scans in it.",
            hint="Name a folder with train/CNV, train/DME, train/DRUSEN and train/NORMAL, with CNV, DME, DRUSEN and "
            "NORMAL alone, or a CSV of path,label,patient[,split].",
        )
    entries = []
    for done, (path, entry) in enumerate(found, 1):
        entries.append(_read(path, entry))
        if on_progress:
            on_progress(done, len(found))
    return Inventory(tuple(entries), tuple(sorted(ignored)))


def _read(path: Path, entry: Entry) -> Entry:
    try:
        data = read_bytes(path)
        pixels = decode_scan(data, path.name).pixels
    except ScanError as error:
        return replace(entry, problem=(error.code, _text(error.message)))
    height, width = pixels.shape
    mode, table = _encoding(data)
    digest = hashlib.sha256(data).hexdigest()
    return replace(entry, content=Content(digest, len(data), width, height, mode, table, fingerprint(pixels)))


def _encoding(data: bytes) -> tuple[str, str]:
    """The pixel mode, and which quantization tables the file was written with; PNG has none."""
    with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=["JPEG", "PNG"]) as image:
        tables = getattr(image, "quantization", None)
        if not tables:
            return image.mode, str(image.format)
        content = repr([(key, tuple(tables[key])) for key in sorted(tables)])
        return image.mode, hashlib.sha256(content.encode()).hexdigest()[:8]


def _listed(root: Path, ignored: list[str]) -> Iterator[tuple[Path, Entry]]:
    if root.is_file():
        yield from _of_csv(root, ignored)
        return
    splits = [name for name in SPLITS if (root / name).is_dir()]
    for split in splits:
        yield from _of_folder(root, root / split, split, ignored)
    if splits:
        ignored += [_text(p.name) for p in root.iterdir() if p.name not in splits and (p.is_dir() or _is_scan(p))]
    else:
        yield from _of_folder(root, root, "train", ignored)


def _of_folder(root: Path, folder: Path, split: str, ignored: list[str]) -> Iterator[tuple[Path, Entry]]:
    for place in sorted(folder.iterdir()):
        if place.is_dir() and place.name in LABELS:
            for path in place.iterdir():
                name = _text(path.relative_to(root).as_posix())
                if _is_scan(path):
                    yield path, Entry(name, split, place.name, patient_of(path), _doubt(path, place.name))
                else:
                    ignored.append(name)
        elif place.is_dir() or _is_scan(place):
            ignored.append(_text(place.relative_to(root).as_posix()))


def _doubt(path: Path, label: str) -> str | None:
    if patient_of(path) is None:
        return "not <CLASS>-<patient>-<n>"
    said = path.name.split("-")[0].upper()
    return None if said == label else f"the name says {said}, the folder {label}"


def _is_scan(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _of_csv(table: Path, ignored: list[str]) -> Iterator[tuple[Path, Entry]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"{table}: cannot be read as CSV ({error}).", hint="Save it as UTF-8 text.") from error
    for number, line in enumerate(lines, 2):
        path, label, patient, split = ((line.get(key) or "").strip() for key in ("path", "label", "patient", "split"))
        split = split or "train"
        if path and label in LABELS and split in SPLITS:
            doubt = None if patient else "the CSV names no patient"
            yield table.parent / path, Entry(_text(path), split, label, patient or None, doubt)
        else:
            ignored.append(f"{_text(table.name)}, line {number}")


def _text(value: str) -> str:
    """The name as UTF-8 can say it; a byte of it that is no UTF-8 reads `\\udcff`."""
    return value.encode("utf-8", "backslashreplace").decode()
