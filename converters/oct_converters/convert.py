"""One run becomes one proven model file, or a report that says why it did not."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from oct_converters.calibration import CalibrationSet, draw_calibration
from oct_converters.card import make_card
from oct_converters.equalize import equalize
from oct_converters.golden import make_golden
from oct_converters.norms import norms_as_convolutions
from oct_converters.parity import Answers, Gates, Parity, answer, compare, failures
from oct_converters.quantize import to_float32, to_int8
from oct_converters.run import Run, read_run
from oct_edge.bundle import pack, read_bundle
from oct_edge.errors import GateFailed
from oct_edge.files import make_folder, write_atomically
from oct_edge.labels import DISCLAIMER
from oct_edge.runtime import open_runtime
from oct_trainer.pictures import Pictures

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """`calibration` scans are drawn with `seed`; `attributions` go into the card."""

    gates: Gates
    calibration: int = 200
    seed: int = 0
    attributions: tuple[str, ...] = ()


def convert(folder: Path, data: Path, out: Path, options: Options, on_progress: Progress | None = None) -> Path:
    """Convert the run in `folder` and prove the result; returns the model file.

    Writes `<network>-int8.tflite` and `<network>-int8.parity.json`; the report is written also when a gate fails.

    Raises:
        GateFailed: the int8 model is not as good as its parent; no model is written.
        RunError, CalibrationError, ModelUnfit, OutputUnavailable: nothing is written.
    """
    make_folder(out)
    run = read_run(folder, data)
    name = f"{run.network}-int8"
    calibration = draw_calibration(run.pictures["train"], options.calibration, options.seed)
    parent = to_float32(run.model)
    equalize(run.model, run.pictures["train"].grey[list(calibration.chosen)])
    tflite = to_int8(norms_as_convolutions(run.model), calibration)
    parts = _answers(run, calibration, parent, tflite, on_progress)
    parity = compare(list(parts.values()))
    failed = failures(parity, options.gates)
    path = out / f"{name}.tflite"
    _write_report(out / f"{name}.parity.json", name, parity, parts, options.gates, failed)
    if failed:
        older = f" {path} is an older one." if path.exists() else ""
        raise GateFailed(
            f"{name}: {'; '.join(failed)}. No model was written.{older}",
            hint=f"{out / f'{name}.parity.json'} lists the {len(parity.changed)} scans that changed.",
        )
    golden = make_golden(tflite)
    card = make_card(run, name, calibration, parts, golden, options.attributions)
    content = pack(tflite, card, golden.images)
    read_bundle(content, name)
    write_atomically(path, content)
    return path


def _answers(
    run: Run, calibration: CalibrationSet, parent: bytes, tflite: bytes, on_progress: Progress | None
) -> dict[str, Answers]:
    """Both models on every scan that was not used for calibration, by split; a split of no such scan is left out."""
    float32, int8 = open_runtime(parent), open_runtime(tflite)
    unseen = np.setdiff1d(np.arange(len(run.pictures["train"].grey)), calibration.chosen)
    pictures = run.pictures | {"train": _subset(run.pictures["train"], unseen)}
    parts = {}
    for split, part in pictures.items():
        if not len(part.grey):
            continue

        def step(done: int, total: int, split: str = split) -> None:
            if on_progress:
                on_progress(f"{run.network} {split}", done, total)

        parts[split] = answer(part, float32, int8, step)
    return parts


def _subset(pictures: Pictures, indices: np.ndarray) -> Pictures:
    return replace(
        pictures,
        samples=tuple(pictures.samples[i] for i in indices),
        grey=pictures.grey[indices],
        labels=pictures.labels[indices],
        patients=pictures.patients[indices],
        sha256=tuple(pictures.sha256[i] for i in indices),
    )


def _write_report(
    path: Path, name: str, parity: Parity, parts: dict[str, Answers], gates: Gates, failed: list[str]
) -> None:
    report: dict[str, Any] = {
        "schema": "oct-edge/parity@1",
        "model": name,
        "passed": not failed,
        "failures": failed,
        "gates": vars(gates),
        "all": parity.to_dict(),
        **{split: compare([part]).to_dict() for split, part in parts.items()},
        "disclaimer": DISCLAIMER,
    }
    write_atomically(path, (json.dumps(report, indent=1) + "\n").encode())
