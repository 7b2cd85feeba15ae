"""A trainer's run, read back: the model, its record, and the very scans it was trained and held out on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from oct_converters.export import ALWAYS
from oct_edge.errors import DataSetError, RunError
from oct_edge.labels import LABELS
from oct_trainer.dataset import Sample
from oct_trainer.layout import read_layout, root_of
from oct_trainer.pictures import Pictures, load_parts
from oct_trainer.predictions import Predictions
from oct_trainer.run import FinishedRun
from oct_trainer.run_folder import find_run
from oct_trainer.run_model import load_finished_run
from oct_trainer.usable import require_identified

_REPRODUCED = 0.005  # mean change of a probability; a processor or a GPU of another kind stays below 0.0001
_ENTRIES = ("weights", "recipe", "seed", "parameters")  # what the card repeats
_SAME_DATA = "Name the data of the training with --data, the same folder or CSV, unchanged."


@dataclass(frozen=True, eq=False)
class Run:
    """`pictures` maps `train`, `val` and, where there is one, `test` to scans whose bytes are those of the training.

    Their paths are told relative to `root`.
    """

    finished: FinishedRun
    model: keras.Model
    pictures: dict[str, Pictures]
    root: Path

    @property
    def network(self) -> str:
        return self.finished.network

    @property
    def record(self) -> dict[str, Any]:
        return self.finished.record


def find_runs(runs: Path, networks: tuple[str, ...], *, every: bool = False) -> list[Path]:
    """The run folders of these networks under `runs`: of `every` one, or of those that are there.

    Raises:
        RunError: there is none, or not of every one, or one without its model.
    """
    try:
        found = {network: run for network in networks if (run := find_run(runs, network))}
    except OSError as error:
        raise RunError(f"{runs}: cannot be read ({error.strerror}).", hint="Name the --out of `oct-train`.") from error
    missing = [network for network in networks if network not in found]
    if broken := [runs / network for network in missing if (runs / network).is_dir()]:
        raise RunError(
            f"{broken[0]}: there is no model.keras in it.", hint="Train it again, or move the folder out of --runs."
        )
    if not found or (every and missing):
        raise RunError(
            f"{runs}: no finished run of {', '.join(missing)}.", hint="`oct-train` writes them; name its --out here."
        )
    return list(found.values())


def read_run(folder: Path, data: Path) -> Run:
    """The run in `folder`, with its scans read from `data`.

    Raises:
        RunError: a file of the run is missing, unreadable, of another version or of another run, or the scans in
            `data` are not those of the training.
        DataSetError: there is more in `data`, of classes that no network here knows, say.
    """
    finished, model = load_finished_run(folder)
    _require_outputs(folder, model)
    missing = [key for key in _ENTRIES if key not in finished.record]
    if missing or "scans" not in finished.record["data"]:
        raise RunError(f"{folder / 'metrics.json'}: does not say {', '.join(missing) or 'how many scans there were'}.")
    try:
        root = root_of(data)
    except OSError as error:
        raise RunError(f"{data}: cannot be read ({error.strerror}).", hint=_SAME_DATA) from error
    pictures = _pictures(finished.split, root, data)
    require_identified(read_layout(data))
    if not {"train", "val"} <= pictures.keys():
        raise RunError(f"{folder}: was trained without validation scans, so nothing can be proven of it.")
    return Run(finished, model, pictures, root)


def _require_outputs(folder: Path, model: keras.Model) -> None:
    shapes = {layer.name: tuple(layer.output.shape) for layer in model.layers if layer.name in ALWAYS}
    classes = (None, len(LABELS))
    if shapes.keys() != set(ALWAYS) or not shapes["scores"] == shapes["logits"] == classes:
        raise RunError(
            f"{folder / 'model.keras'}: not a network of this version; it has no layers {', '.join(ALWAYS)} with "
            f"{len(LABELS)} classes."
        )


def require_reproduced(run: Run, predictions: Mapping[str, Predictions]) -> None:
    """Raise `RunError` unless the model answers the held-out scans as the run recorded that it did.

    This tells a model, a preprocessing or labels that are not those of the training from a network that is merely bad.
    """
    recorded = run.finished.predictions()
    for split, found in predictions.items():
        known = recorded.get(split)
        if known is None or sorted(known.paths) != sorted(found.paths):
            raise RunError(f"{run.finished.folder}: predictions.csv is not about the scans of `{split}`.")
        a, b = np.argsort(known.paths), np.argsort(found.paths)
        if (known.labels[a] != found.labels[b]).any():
            raise RunError(f"{run.finished.folder}: predictions.csv and split.csv have other labels in `{split}`.")
        change = float(np.abs(known.probabilities[a] - found.probabilities[b]).mean())
        if not change <= _REPRODUCED:
            raise RunError(
                f"{run.finished.folder}: the model does not give the answers that the run recorded on `{split}`: "
                f"probabilities differ by {change:.3f} in the mean.",
                hint="Train it again: the model, or what makes a tensor of a scan, is another one than then.",
            )


def _pictures(rows: Sequence[dict[str, str]], root: Path, data: Path) -> dict[str, Pictures]:
    try:
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
