"""A finished run, read back without its model: its record, its split and its predictions. No TensorFlow."""

import csv
import hashlib
import json
from dataclasses import dataclass
from io import StringIO
from math import nan
from pathlib import Path
from typing import Any

from oct_edge.errors import RunError
from oct_edge.labels import LABELS
from oct_trainer.dataset import SPLIT_COLUMNS
from oct_trainer.layout import SPLITS
from oct_trainer.predictions import Predictions, read_predictions

SCHEMA = "oct-edge/run@1"


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """`record` is `metrics.json`, `split` the rows of `split.csv` by column."""

    folder: Path
    record: dict[str, Any]
    split: tuple[dict[str, str], ...]

    @property
    def network(self) -> str:
        return str(self.record["network"])

    def predictions(self) -> dict[str, Predictions]:
        """Those on the scans that were held out, by split.

        Raises:
            RunError: they are missing or not what this version writes.
        """
        return read_predictions(self.folder / "predictions.csv")

    def history(self) -> dict[str, list[float]]:
        """The columns of `history.csv`, a number an epoch; NaN for what is none.

        Raises:
            RunError: the file cannot be read.
        """
        path = self.folder / "history.csv"
        try:
            rows = list(csv.DictReader(path.read_text().splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise RunError(f"{path}: cannot be read ({first_line(error)}).") from error
        return {name: [_number(row.get(name)) for row in rows] for name in (rows[0] if rows else ()) if name}


def read_finished_run(folder: Path) -> FinishedRun:
    """The run in `folder`; its model may be of another version of the preprocessing.

    Raises:
        RunError: its record or split is missing, unreadable, of another version or of another run.
    """
    try:
        record = json.loads((folder / "metrics.json").read_text())
        split = (folder / "split.csv").read_bytes()
    except Exception as error:
        raise RunError(
            f"{folder}: not a finished run ({first_line(error)}).",
            hint="Name the folder of one run that `oct-train` finished, or train it again.",
        ) from error
    _require_record(folder, record, split)
    return FinishedRun(folder, record, tuple(_rows(folder, split)))


def require_entries(folder: Path, record: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise `RunError` unless the record of the run in `folder` has these entries."""
    for key, value in expected.items():
        if record.get(key) != value:
            raise RunError(f"{folder}: {key} is {record.get(key)!r}, not {value!r}.", hint="Train it again.")


def first_line(error: Exception) -> str:
    """What an error has to say, in a line; of a file, which one it is without its place."""
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, (str, Path)):
        return f"{Path(error.filename).name}: {error.strerror}"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return nan


def _require_record(folder: Path, record: Any, split: bytes) -> None:
    """Raise `RunError` unless this is the record of a run of this version, and of this split."""
    if not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        raise RunError(f"{folder / 'metrics.json'}: not the record of a run.")
    require_entries(folder, record, {"schema": SCHEMA, "classes": list(LABELS)})
    if not isinstance(record.get("network"), str):
        raise RunError(f"{folder / 'metrics.json'}: does not say which network it is of.")
    if record["data"].get("split_sha256") != hashlib.sha256(split).hexdigest():
        raise RunError(
            f"{folder}: split.csv is not the split that metrics.json is about (SHA-256 differs).",
            hint="Train it again: who was trained on is not known for sure.",
        )


def _rows(folder: Path, split: bytes) -> list[dict[str, str]]:
    text = StringIO(split.decode(errors="replace"), newline="")
    header, *lines = [tuple(line) for line in csv.reader(text)] or [()]
    rows = [dict(zip(header, line, strict=False)) for line in lines if len(line) == len(SPLIT_COLUMNS)]
    if header != SPLIT_COLUMNS or len(rows) != len(lines) or not all(_is_known(row) for row in rows):
        raise RunError(f"{folder / 'split.csv'}: not rows of {', '.join(SPLIT_COLUMNS)} with labels of this version.")
    return rows


def _is_known(row: dict[str, str]) -> bool:
    return row["label"] in LABELS and row["split"] in SPLITS
