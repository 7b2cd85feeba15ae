"""Which scans a data set has, and what the place of each says of it: one reader for training and for the audit.

    train|val|test/<CLASS>/<CLASS>-<patient>-<n>.jpeg    OCT2017's folders
    <CLASS>/<CLASS>-<patient>-<n>.jpeg                   its classes alone; all of it counts as `train`
    a CSV of path,label,patient[,split]                  anyone's; paths are relative to the CSV's folder, or absolute

Nothing is refused here for one bad scan or row: what is odd is said beside it, and the reader decides. No scan is
opened. No TensorFlow.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from oct_edge.errors import DataSetError
from oct_edge.labels import LABELS
from oct_edge.reading import PICTURES
from oct_trainer.wording import few

SPLITS = ("train", "val", "test")
POOL = frozenset({"train", "val"})  # one pool when the data set is read: `dataset.py` draws validation anew from it
COLUMNS = ("path", "label", "patient", "split")

_LAYOUTS = (
    "Name a folder with train/CNV, train/DME, train/DRUSEN and train/NORMAL, with CNV, DME, DRUSEN and NORMAL alone, "
    "or a CSV of path,label,patient[,split]; `oct-train phantoms` makes a data set without any real scans."
)
_HEADER = "The first line is path,label,patient[,split], separated by commas; further columns do not matter."


@dataclass(frozen=True, eq=False)
class Listed:
    """One scan that the layout names: `name` as the layout has it, in UTF-8; `line` of the CSV, where there is one.

    `patient` is None where nothing tells; `doubt` says what is wrong with the name or the row.
    """

    path: Path
    name: str
    split: str
    label: str
    patient: str | None
    doubt: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Fault:
    """A row of the CSV that names no scan, and why."""

    line: int
    what: str


@dataclass(frozen=True)
class Layout:
    """All scans by name. `data` is the folder or CSV that was read, `root` the folder that its paths are relative to.

    `ignored` lies beside the scans and is never read; of it, `foreign` are folders of scans in the place of a class.
    """

    data: Path
    root: Path
    scans: tuple[Listed, ...]
    ignored: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def root_of(data: Path) -> Path:
    """The folder that the paths of a data set are relative to; for a CSV its own."""
    return data.parent if data.is_file() else data


def read_layout(data: Path) -> Layout:
    """What is listed by the folder or the CSV `data`.

    Raises:
        DataSetError: it lists no scan at all, cannot be opened, or is no CSV with the columns that are needed.
    """
    try:
        layout = _read_table(data) if data.is_file() else _read_folders(data)
    except OSError as error:
        raise DataSetError(
            f"{error.filename or data}: cannot be opened ({error.strerror}).",
            hint="Name a folder or a CSV that this user may read; in training, with --data.",
        ) from error
    if not layout.scans:
        why = few([f"line {fault.line}: {fault.what}" for fault in layout.faults])
        raise DataSetError(f"{data}: there are no scans in it{why and ': '}{why}.", hint=_LAYOUTS)
    return layout


def patient_of(path: Path) -> str | None:
    """The patient in a name `<CLASS>-<patient>-<n>`; None for any other name."""
    parts = path.stem.split("-")
    return parts[1] or None if len(parts) >= 3 and parts[0].upper() in LABELS else None


def as_utf8(text: str) -> str:
    """The text as UTF-8 can say it; a byte of a name that is no UTF-8 reads `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


def _by_name(scans: Iterable[Listed]) -> tuple[Listed, ...]:
    return tuple(sorted(scans, key=lambda scan: scan.name))


def _read_folders(root: Path) -> Layout:
    ignored: list[str] = []
    splits = [name for name in SPLITS if (root / name).is_dir()]
    scans = [scan for name in splits for scan in _of_folder(root, root / name, name, ignored)]
    if splits:
        ignored += [as_utf8(p.name) for p in root.iterdir() if p.name not in splits and (p.is_dir() or _is_scan(p))]
    else:
        scans = list(_of_folder(root, root, "train", ignored))
    foreign = [as_utf8(p.relative_to(root).as_posix()) for p in _foreign([root / name for name in splits] or [root])]
    return Layout(root, root, _by_name(scans), tuple(sorted(ignored)), tuple(sorted(foreign)))


def _of_folder(root: Path, folder: Path, split: str, ignored: list[str]) -> Iterator[Listed]:
    for place in folder.iterdir():
        if place.is_dir() and place.name in LABELS:
            for path in place.iterdir():
                name = as_utf8(path.relative_to(root).as_posix())
                if _is_scan(path):
                    yield Listed(path, name, split, place.name, patient_of(path), _doubt(path, place.name))
                else:
                    ignored.append(name)
        elif place.is_dir() or _is_scan(place):
            ignored.append(as_utf8(place.relative_to(root).as_posix()))


def _foreign(places: Iterable[Path]) -> Iterator[Path]:
    """Folders of scans beside those of the classes; not what a file manager or an editor hides there."""
    for folder in (folder for place in places for folder in place.iterdir()):
        hidden = folder.name.startswith((".", "_"))
        if folder.name not in LABELS and not hidden and folder.is_dir() and any(map(_is_scan, folder.iterdir())):
            yield folder


def _doubt(path: Path, label: str) -> str | None:
    if patient_of(path) is None:
        return "not <CLASS>-<patient>-<n>"
    said = path.name.split("-")[0].upper()
    return None if said == label else f"the name says {said}, the folder {label}"


def _is_scan(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _read_table(table: Path) -> Layout:
    scans, faults = [], []
    for line, row in _rows(table):
        path, label, patient, split = (row.get(column, "").strip() for column in COLUMNS)
        if not (path or label or patient or split):
            continue
        split = split or "train"
        if fault := _fault(path, label, split):
            faults.append(Fault(line, fault))
        else:
            doubt = None if patient else "the CSV names no patient"
            scans.append(Listed(table.parent / path, path, split, label, patient or None, doubt, line))
    return Layout(table, table.parent, _by_name(scans), faults=tuple(faults))


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line. A byte order mark and the line ends of any system are taken as they come."""
    rows = csv.reader(StringIO(_text(table), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        _require_columns(table, header)
        for row in rows:
            yield rows.line_num, dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise DataSetError(
            f"{table}: cannot be read as CSV (line {rows.line_num}: {error}).",
            hint="Save it as CSV anew; a quotation mark that is opened has to be closed.",
        ) from error


def _text(table: Path) -> str:
    content = table.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataSetError(
            f"{table}: cannot be read as CSV (line {line} is not UTF-8).", hint="Save it as UTF-8 text."
        ) from error


def _require_columns(table: Path, header: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in header and name != "split"]
    if missing:
        raise DataSetError(
            f"{table}: there are no scans in it: the first line has no column {', '.join(missing)}.", hint=_HEADER
        )


def _fault(path: str, label: str, split: str) -> str | None:
    if not path:
        return "there is no path"
    if label not in LABELS:
        return f"the label is {label!r}, not {', '.join(LABELS[:-1])} or {LABELS[-1]}"
    return None if split in SPLITS else f"the split is {split!r}, not {', '.join(SPLITS[:-1])} or {SPLITS[-1]}"
