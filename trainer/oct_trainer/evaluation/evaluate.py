"""A run answers scans, and the answers become figures, a record and files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.errors import RunError
from oct_edge.files import write_atomically
from oct_edge.labels import DISCLAIMER, LABELS
from oct_trainer.dataset import class_counts
from oct_trainer.evaluation.selection import Split, select
from oct_trainer.pictures import load_pictures
from oct_trainer.plots import draw_predictions, on_white
from oct_trainer.predict import predict
from oct_trainer.predictions import FITTED_ON, Predictions, figures, predictions_csv, temperature_of
from oct_trainer.run import FinishedRun
from oct_trainer.run_model import load_finished_run

SCHEMA = "oct-edge/evaluation@1"
MOST_WRONG = 20
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """`record` is what `--json` prints."""

    record: dict[str, Any]
    predictions: Predictions


def evaluate_run(folder: Path, data: Path, split: Split | None, on_progress: Progress) -> Evaluation:
    """The run in `folder` on the scans that `select` finds in `data`.

    Raises:
        RunError: no finished run of this version is there.
        DataSetError: there are no such scans, or some cannot be read.
    """
    run, model = load_finished_run(folder)
    temperature = _temperature(run)
    chosen = select(data, run, split, lambda done, total: on_progress("looking", done, total))
    pictures = load_pictures(chosen.samples)
    answers = predict(model, pictures, chosen.root, lambda done, total: on_progress(run.network, done, total))
    in_sample = chosen.seen[FITTED_ON].scans > 0
    return Evaluation(
        {
            "schema": SCHEMA,
            "run": _described(run),
            "data": {
                "name": data.resolve().name,
                "split": chosen.split,
                "scans": class_counts(chosen.samples),
                "patients": len(set(pictures.patients)),
                "same_data": chosen.same_data,
            },
            "seen": {part: seen.to_dict() for part, seen in chosen.seen.items()},
            "warnings": chosen.warnings(),
            "metrics": figures(answers, temperature, in_sample=in_sample),
            "most_wrong": _most_wrong(answers),
            "software": {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
            "disclaimer": DISCLAIMER,
        },
        answers,
    )


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write `metrics.json`, `predictions.csv` and the plots into the folder `out`.

    Raises:
        OutputUnavailable: a file cannot be written.
    """
    record, answers = evaluation.record, evaluation.predictions
    content = {
        "metrics.json": (json.dumps(record, indent=2) + "\n").encode(),
        "predictions.csv": predictions_csv({record["data"]["split"]: answers}),
    }
    for name, svg in draw_predictions(answers, record["metrics"]).items():
        content[f"{name}.svg"] = on_white(svg).encode()
    for name, data in content.items():
        write_atomically(out / name, data)


def _temperature(run: FinishedRun) -> float:
    validation = run.predictions().get(FITTED_ON)
    if validation is None:
        raise RunError(f"{run.folder / 'predictions.csv'}: has no validation scans to fit the temperature on.")
    return temperature_of(validation)


def _described(run: FinishedRun) -> dict[str, Any]:
    kept = ("network", "recipe", "seed", "weights", "preprocessing")
    return {key: run.record.get(key) for key in kept} | {"split_sha256": run.record["data"]["split_sha256"]}


def _most_wrong(answers: Predictions) -> list[dict[str, Any]]:
    return [
        {
            "path": str(answers.paths[i]),
            "patient": str(answers.patients[i]),
            "label": LABELS[answers.labels[i]],
            "answered": LABELS[answers.predicted[i]],
            "confidence": round(float(answers.confidence[i]), 4),
        }
        for i in answers.most_wrong(MOST_WRONG)
    ]
