"""One run becomes one proven model file, or a report that says why it did not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from oct_converters.calibration import CalibrationSet, draw_calibration, require_apart, some_of_each_class
from oct_converters.card import Evidence, about_model, licences_of, make_card
from oct_converters.decision import OperatingPoint, choose_operating_point
from oct_converters.dense import dense_as_convolutions
from oct_converters.edgetpu.build import twin_of
from oct_converters.equalize import equalize
from oct_converters.golden import make_golden
from oct_converters.metadata import add_metadata
from oct_converters.norms import norms_as_convolutions
from oct_converters.parity import KERAS, Answers, Gates, Urgency, answer, begin, open_readers
from oct_converters.parity.layers import layer_errors
from oct_converters.parity.markdown import render
from oct_converters.parity.report import Report, make_report
from oct_converters.quantize import to_float32, to_int8
from oct_converters.run import Run, read_run, require_reproduced
from oct_converters.statistics import gate_statistics
from oct_edge.bundle import STATISTICS, pack, read_bundle
from oct_edge.classifier import softmax
from oct_edge.errors import GateFailed
from oct_edge.files import make_folder, require_free, write_together
from oct_edge.gate.known import pack_groups
from oct_trainer.metrics import fit_temperature
from oct_trainer.predict import scores_of
from oct_trainer.predictions import Predictions

Progress = Callable[[str, int, int], None]
_PER_CLASS = 4


@dataclass(frozen=True)
class Options:
    """`calibration` scans are drawn with `seed`; `force` replaces an older file.

    `licence` is that of the model; it goes into the card with `attributions`, those of the data.

    `edgetpu` gives dense weights one scale a tensor, as the Edge TPU's compiler wants them.
    """

    gates: Gates = field(default_factory=Gates)
    calibration: int = 200
    seed: int = 0
    licence: str = "not stated"
    attributions: tuple[str, ...] = ()
    force: bool = False
    edgetpu: bool = False


@dataclass(frozen=True, eq=False)
class Converted:
    """The int8 file, the float32 file of the parent, and that of the `twin`, which has the operators of the int8.

    `method` says for the card how the int8 file was made.
    """

    int8: bytes
    float32: bytes
    twin: bytes
    method: dict[str, Any]


def convert(folder: Path, data: Path, out: Path, options: Options, on_progress: Progress | None = None) -> Path:
    """Convert the run in `folder` and prove the result; returns the model file.

    Writes `<network>-int8.tflite`, `<network>-int8.parity.json` and `.parity.md`; the report also when a gate fails.

    Raises:
        GateFailed: the int8 model is not as good as its parent; no model is written.
        RunError, CalibrationError, ModelUnfit, OutputUnavailable: nothing is written.
    """
    make_folder(out)
    run = read_run(folder, data)
    name = f"{run.network}-int8"
    path = out / f"{name}.tflite"
    require_free([path, twin_of(path)] if options.edgetpu else [path], options.force)
    calibration = draw_calibration(run.pictures["train"], options.calibration, options.seed)
    answers = _parents(run, calibration)
    converted = _converted(run, calibration, options)
    evidence = _prove(name, run, calibration, converted, answers, options, on_progress)
    files = _report_files(out, evidence.report)
    if evidence.report.failures:
        write_together(files)
        raise _refusal(evidence.report, out, path)
    content = _packed(converted.int8, evidence, options)
    read_bundle(content, name)
    write_together({**files, path: content})
    return path


def _report_files(out: Path, report: Report) -> dict[Path, bytes]:
    return {
        out / f"{report.model}.parity.json": report.to_json().encode(),
        out / f"{report.model}.parity.md": render(report).encode(),
    }


def _parents(run: Run, calibration: CalibrationSet) -> Answers:
    """The Keras model on every scan that does not calibrate: as the run recorded them, or refused."""
    held_out = {split: part for split, part in run.pictures.items() if split != "train"}
    require_apart(calibration, held_out.values(), leak_allowed=bool(run.record["data"].get("leak")))
    training = run.pictures["train"]
    unseen = training.take(np.setdiff1d(np.arange(len(training.grey)), calibration.chosen))
    parts = {"train": unseen, **held_out} if len(unseen.grey) else held_out
    logits = keras.Model(run.model.inputs, run.model.get_layer("logits").output)
    answers = begin(parts, partial(scores_of, logits))
    require_reproduced(run, {split: predictions_of(answers.of(split), run.root) for split in held_out})
    return answers


def predictions_of(answers: Answers, root: Path) -> Predictions:
    paths = np.array([sample.name(root) for sample in answers.pictures.samples])
    return Predictions(
        paths, answers.pictures.patients, answers.pictures.labels, softmax(answers.logits[KERAS].astype(np.float64))
    )


def _converted(run: Run, calibration: CalibrationSet, options: Options) -> Converted:
    float32 = to_float32(run.model)
    equalised = equalize(run.model, run.pictures["train"].grey[list(calibration.chosen)])
    model = norms_as_convolutions(run.model)
    if not options.edgetpu:
        model = dense_as_convolutions(model)
    int8 = to_int8(model, calibration, per_tensor_dense=options.edgetpu)
    about = about_model(run, f"{run.network}-int8", options.licence, options.attributions)
    method = {
        "method": "post-training full-integer int8",
        "norms_behind_relu": f"{equalised}, equalised and made depthwise convolutions" if equalised else "none",
        "dense_weights": "one scale a tensor" if options.edgetpu else "1x1 convolutions, one scale a channel",
        "calibration_seed": options.seed,
        "calibration_asked_for": options.calibration,
    }
    return Converted(add_metadata(int8, about), float32, to_float32(model), method)


def _prove(
    name: str,
    run: Run,
    calibration: CalibrationSet,
    converted: Converted,
    answers: Answers,
    options: Options,
    on_progress: Progress | None,
) -> Evidence:
    readers, missing = open_readers(converted.float32, converted.int8)

    def step(reader: str, done: int, total: int) -> None:
        if on_progress:
            on_progress(f"{name} {reader}", done, total)

    answers = answer(answers, readers, step)
    deployed = next(reader for reader in readers if reader.kind)
    temperature, point = _decide(answers.of("val"), deployed.name)
    layers = layer_errors(converted.twin, converted.int8, _a_few(run))
    urgency = Urgency(temperature, point.urgent_threshold)
    report = make_report(
        name, converted.int8, calibration.consumed, answers, (readers, missing), urgency, options.gates, layers
    )
    return Evidence(run, calibration, converted.method, answers, report, temperature, point)


def _a_few(run: Run) -> np.ndarray:
    """Validation scans for what is too slow for all of them, uint8 `[n, 224, 224]`."""
    val = run.pictures["val"]
    return val.grey[some_of_each_class(val, _PER_CLASS)]


def _decide(val: Answers, reader: str) -> tuple[float, OperatingPoint]:
    logits, labels = val.logits[reader], val.pictures.labels
    temperature = fit_temperature(logits, labels)
    return temperature, choose_operating_point(logits, labels, temperature)


def _refusal(report: Report, out: Path, path: Path) -> GateFailed:
    older = f" {path} is an older one." if path.exists() else ""
    return GateFailed(
        f"{report.model}: {'; '.join(failure.message for failure in report.failures)}. No model was written.{older}",
        hint=f"{out / f'{report.model}.parity.md'} lists the scans that changed and where precision is lost.",
    )


def _packed(int8: bytes, evidence: Evidence, options: Options) -> bytes:
    golden = make_golden(int8, _a_few(evidence.run))
    phantoms = bool(evidence.run.record["data"]["phantoms"])
    groups, gate = gate_statistics(int8, evidence.run.pictures, phantoms=phantoms)
    licences = licences_of(evidence.run, options.licence, options.attributions)
    card = make_card(evidence, golden, gate, licences)
    statistics = {STATISTICS: pack_groups(groups)} if groups else {}
    return pack(int8, card, {**golden.images, **statistics})
