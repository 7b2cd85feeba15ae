"""A trainer's run, read back: the model, its record, and the very scans it was trained and held out on."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from oct_edge.errors import RunError
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.dataset import Sample
from oct_trainer.fit import SCHEMA
from oct_trainer.pictures import Pictures, load_pictures


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
    found = [runs / network for network in networks if (runs / network / "model.keras").is_file()]
    if not found:
        raise RunError(
            f"{runs}: no finished run of {', '.join(networks)}.", hint="`oct-train` writes them; name its --out here."
        )
    return found


def read_run(folder: Path, data: Path) -> Run:
    """The run in `folder`, with its scans read from `data`.

    Raises:
        RunError: no record, another preprocessing or class order, or the scans are not those of the training.
    """
    try:
        record = json.loads((folder / "metrics.json").read_text())
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        rows = list(csv.DictReader((folder / "split.csv").read_text().splitlines()))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: not a finished run ({str(error).splitlines()[0]}).") from error
    expected = {"schema": SCHEMA, "classes": list(LABELS), "preprocessing": PREPROCESSING}
    for key, value in expected.items():
        if record.get(key) != value:
            raise RunError(f"{folder}: {key} is {record.get(key)!r}, not {value!r}.", hint="Train it again.")
    return Run(record["network"], model, record, _pictures(rows, data))


def _pictures(rows: list[dict[str, str]], data: Path) -> dict[str, Pictures]:
    pictures = {}
    for split in ("train", "val", "test"):
        chosen = [row for row in rows if row["split"] == split]
        if chosen:
            pictures[split] = load_pictures([_sample(row, data) for row in chosen])
            _require_same_scans(chosen, pictures[split], data)
    return pictures


def _sample(row: dict[str, str], data: Path) -> Sample:
    return Sample(data / row["path"], LABELS.index(row["label"]), row["patient"], row["split"])


def _require_same_scans(rows: list[dict[str, str]], pictures: Pictures, data: Path) -> None:
    for row, digest in zip(rows, pictures.sha256, strict=True):
        if row["sha256"] != digest:
            raise RunError(
                f"{data / row['path']}: not the file that the run was trained with (SHA-256 differs).",
                hint="Name the data folder of the training with --data, unchanged.",
            )
