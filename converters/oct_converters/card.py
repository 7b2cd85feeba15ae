"""The card: what a model is, where it comes from, and what is known of how good it is."""

import platform
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np

from oct_converters.calibration import CalibrationSet
from oct_converters.decision import OperatingPoint, choose_operating_point, p_urgent
from oct_converters.golden import GoldenSet
from oct_converters.parity import Answers, compare, figures
from oct_converters.run import Run
from oct_edge.bundle import SCHEMA
from oct_edge.labels import DISCLAIMER, LABELS, URGENT
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.metrics import detection, fit_temperature

INTENDED_USE = (
    "Research on sorting macular OCT B-scans into CNV, DME, DRUSEN and NORMAL. A B-scan is not an eye: "
    "the model was not validated on volumes, on other scanners than its training data's, or for any clinical decision."
)
_PACKAGES = ("oct-edge", "tensorflow", "keras", "ai-edge-litert", "numpy", "pillow")
_IMAGENET = {
    "mobilenet": "MobileNet v1 ImageNet weights, Google, Apache-2.0",
    "vgg16": "VGG16 ImageNet weights, Simonyan and Zisserman 2014 (Visual Geometry Group, Oxford), CC BY 4.0, "
    "as distributed by Keras applications",
}


def make_card(
    run: Run,
    name: str,
    calibration: CalibrationSet,
    parts: dict[str, Answers],
    golden: GoldenSet,
    attributions: tuple[str, ...],
) -> dict[str, Any]:
    """The card as JSON-ready content; `parts` are both models' answers by split.

    Validation patients chose temperature and threshold, and by some recipes the epoch: their figures are no test.
    """
    record = run.record
    val = parts["val"]
    temperature = fit_temperature(val.int8, val.pictures.labels)
    point = choose_operating_point(val.int8, val.pictures.labels, temperature)
    held_out = {split: part for split, part in parts.items() if split != "train"}
    metrics = {split: figures(part) for split, part in held_out.items()}
    measured = {split: _urgent(part, temperature, point) for split, part in held_out.items()}
    return {
        "schema": SCHEMA,
        "name": name,
        "network": run.network,
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "disclaimer": DISCLAIMER,
        "intended_use": INTENDED_USE,
        "temperature": temperature,
        "operating_point": {**asdict(point), "fitted_on": "val", "measured": measured},
        "quantization": {
            "method": "post-training full-integer int8, channels equalised across batch norms behind ReLU",
            "calibration_sha256": calibration.sha256,
            "calibration_scans": calibration.histogram(),
            "calibration_consumed": calibration.consumed,
        },
        "training": {
            **record["data"],
            "class_prior": _prior(record["data"]["scans"]["train"]),
            "weights": record["weights"],
            "recipe": record["recipe"],
            "seed": record["seed"],
            "parameters": record["parameters"],
        },
        "metrics": {kind: {split: entry[kind] for split, entry in metrics.items()} for kind in ("float32", "int8")},
        "parity": {split: compare([part]).summary() for split, part in parts.items()},
        "golden": golden.card,
        "licences": ["model: Apache-2.0", *_of_weights(run.network, record["weights"]), *attributions],
        "software": {package: metadata.version(package) for package in _PACKAGES}
        | {"python": platform.python_version()},
    }


def _urgent(part: Answers, temperature: float, point: OperatingPoint) -> dict[str, Any]:
    """Sensitivity and specificity of the int8 model for CNV or DME at the operating point."""
    called = p_urgent(part.int8, temperature) >= point.urgent_threshold
    return detection(np.isin(part.pictures.labels, URGENT), called, part.pictures.patients)


def _of_weights(network: str, weights: dict[str, Any]) -> tuple[str, ...]:
    """Licences of the starting weights, also where they came through earlier runs."""
    if weights["kind"] == "run":
        return _of_weights(network, weights["weights"])
    return (_IMAGENET[network],) if weights["kind"] == "imagenet" else ()


def _prior(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: round(count / total, 4) for name, count in counts.items()}
