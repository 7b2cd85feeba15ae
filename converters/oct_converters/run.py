"""A trainer's run, read back: the model, its record, and the very scans it was trained and held out on."""

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import keras

from oct_edge.errors import DataSetError, RunError
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.dataset import SPLIT_COLUMNS, Sample
from oct_trainer.fit import SCHEMA
from oct_trainer.layout import SPLITS, root_of
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.run_folder import find_run

_SAME_DATA = "Name the data of the training with --data, the same folder or CSV, unchanged."


@dataclass(frozen=True, eq=False)
class Run:
    """`pictures` maps `train`, `val` and, where there is one, `test` to scans whose bytes are those of the training."""

    network: str
    model: keras.Model
    record: dict[str, Any]
    pictures: dict[str, Pictures]


def find_runs(runs: Path, networks: tuple[str, ...]) -> list[Path]:
    """The run folders of these networks under `runs`.

    Raises:
        RunError: there is none.
    """
    found = [run for network in networks if (run := find_run(runs, network))]
    if not found:
        raise RunError(
            f"{runs}: no finished run of {', '.join(networks)}.", hint="`oct-train` writes them; name its --out here."
        )
    return found


def read_run(folder: Path, data: Path) -> Run:
    """The run in `folder`, with its scans read from `data`.

    Raises:
        RunError: a file of the run is missing, unreadable, of another version or of another run, or the scans in
            `data` are not those of the training.
    """
    try:
        before = folder.stat()
        record = json.loads((folder / "metrics.json").read_text())
        split = (folder / "split.csv").read_bytes()
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        replaced = not os.path.samestat(before, folder.stat())
    except Exception as error:
        raise RunError(f"{folder}: not a finished run ({_reason(error)}).") from error
    if replaced:
        raise RunError(f"{folder}: a training replaced it while it was read.", hint="Start again.")
    _require_record(folder, record, model.name, split)
    return Run(record["network"], model, record, _pictures(_rows(folder, split), data))


def _require_record(folder: Path, record: Any, network: str, split: bytes) -> None:
    """Raise `RunError` unless this is the record of a run of this version, of this network and of this split."""
    if not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        raise RunError(f"{folder / 'metrics.json'}: not the record of a run.")
    expected = {"schema": SCHEMA, "network": network, "classes": list(LABELS), "preprocessing": PREPROCESSING}
    for key, value in expected.items():
        if record.get(key) != value:
            raise RunError(f"{folder}: {key} is {record.get(key)!r}, not {value!r}.", hint="Train it again.")
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


def _pictures(rows: list[dict[str, str]], data: Path) -> dict[str, Pictures]:
    try:
        root = root_of(data)
        missing = [row["path"] for row in rows if not (root / row["path"]).is_file()]
    except OSError as error:
        raise RunError(f"{data}: cannot be read ({error.strerror}).", hint=_SAME_DATA) from error
    if missing:
        raise RunError(
            f"{data}: {len(missing)} of the {len(rows)} scans of the run are not there, first {missing[0]}.",
            hint=_SAME_DATA,
        )
    return _loaded(rows, root)


def _loaded(rows: list[dict[str, str]], root: Path) -> dict[str, Pictures]:
    samples = [_sample(row, root) for row in rows]
    try:
        parts = load_parts(samples)
    except DataSetError as error:
        raise RunError(error.message, hint=_SAME_DATA) from error
    trained_with = {sample.path: row["sha256"] for sample, row in zip(samples, rows, strict=True)}
    for part in parts.values():
        for sample, digest in zip(part.samples, part.sha256, strict=True):
            if trained_with[sample.path] != digest:
                raise RunError(
                    f"{sample.path}: not the file that the run was trained with (SHA-256 differs).", hint=_SAME_DATA
                )
    return parts


def _sample(row: dict[str, str], root: Path) -> Sample:
    return Sample(root / row["path"], LABELS.index(row["label"]), row["patient"], row["split"])


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
