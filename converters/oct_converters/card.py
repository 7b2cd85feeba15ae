"""The card: what a model is, where it comes from, and what is known of how good it is."""

import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import numpy as np

from oct_converters.calibration import CalibrationSet
from oct_converters.decision import OperatingPoint, p_urgent
from oct_converters.golden import GoldenSet
from oct_converters.metadata import About
from oct_converters.parity import KERAS, Answers
from oct_converters.parity.report import Report
from oct_converters.run import Run
from oct_edge.bundle import SCHEMA
from oct_edge.classifier import softmax
from oct_edge.console import package_version
from oct_edge.labels import DISCLAIMER, LABELS, URGENT
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.metrics import confidence, detection, summarise

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


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a conversion found out; validation patients chose temperature and threshold, and by some recipes the epoch:
    their figures are no test.
    """

    run: Run
    calibration: CalibrationSet
    method: dict[str, Any]
    answers: Answers
    report: Report
    temperature: float
    point: OperatingPoint


def make_card(evidence: Evidence, golden: GoldenSet, gate: dict[str, Any], licences: list[str]) -> dict[str, Any]:
    """The card as JSON-ready content; `gate` is the entry of that name."""
    run, report, calibration = evidence.run, evidence.report, evidence.calibration
    record = run.record
    held_out = {split: evidence.answers.of(split) for split in run.pictures if split != "train"}
    return {
        "schema": SCHEMA,
        "name": report.model,
        "network": run.network,
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "disclaimer": DISCLAIMER,
        "intended_use": INTENDED_USE,
        "temperature": evidence.temperature,
        "operating_point": {
            **asdict(evidence.point),
            "fitted_on": "val",
            "measured": {split: _urgent(part, evidence) for split, part in held_out.items()},
        },
        "quantization": {
            **evidence.method,
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
        "metrics": {
            "float32": {split: _figures(part, KERAS) for split, part in held_out.items()},
            "int8": {
                split: _figures(part, report.deployed) | {"confidence": _confidence(part, evidence)}
                for split, part in held_out.items()
            },
        },
        "parity": report.summary(),
        "gate": gate,
        "golden": golden.card,
        "licences": licences,
        "software": {package: metadata.version(package) for package in _PACKAGES}
        | {"python": platform.python_version()},
    }


def licences_of(run: Run, licence: str, attributions: tuple[str, ...]) -> list[str]:
    """Of the model, of the weights that it started from, and of what else it is owed to."""
    return [f"model: {licence}", *_of_weights(run.network, run.record["weights"]), *attributions]


def about_model(run: Run, name: str, licence: str, attributions: tuple[str, ...]) -> About:
    """What other readers are told."""
    licences = "; ".join(licences_of(run, licence, attributions))
    use = f"{INTENDED_USE} {DISCLAIMER.capitalize()}."
    return About(name, use, package_version(), "made with oct-convert of OCT Edge", licences)


def _figures(part: Answers, reader: str) -> dict[str, Any]:
    return summarise(part.pictures.labels, part.logits[reader].argmax(1), part.pictures.patients)


def _confidence(part: Answers, evidence: Evidence) -> dict[str, Any]:
    """How sure the int8 model is; on a device this shows when scans come that are unlike these."""
    return confidence(softmax(part.logits[evidence.report.deployed] / evidence.temperature), part.pictures.patients)


def _urgent(part: Answers, evidence: Evidence) -> dict[str, Any]:
    """Sensitivity and specificity of the int8 model for CNV or DME at the operating point."""
    p = p_urgent(part.logits[evidence.report.deployed], evidence.temperature)
    called = p >= evidence.point.urgent_threshold
    return detection(np.isin(part.pictures.labels, URGENT), called, part.pictures.patients)


def _of_weights(network: str, weights: dict[str, Any]) -> tuple[str, ...]:
    """Licences of the starting weights, also where they came through earlier runs."""
    if weights["kind"] == "run":
        return _of_weights(network, weights["weights"])
    return (_IMAGENET[network],) if weights["kind"] == "imagenet" else ()


def _prior(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: round(count / total, 4) for name, count in counts.items()}
