"""A trainer's run, read back: the model, its record, and the very scans it was trained and held out on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from oct_edge.errors import DataSetError, RunError
from oct_edge.labels import LABELS
from oct_trainer.dataset import Sample
from oct_trainer.layout import root_of
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.run_folder import find_run
from oct_trainer.run_model import load_finished_run

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
    finished, model = load_finished_run(folder)
    return Run(finished.network, model, finished.record, _pictures(finished.split, data))


def _pictures(rows: Sequence[dict[str, str]], data: Path) -> dict[str, Pictures]:
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


def _loaded(rows: Sequence[dict[str, str]], root: Path) -> dict[str, Pictures]:
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
