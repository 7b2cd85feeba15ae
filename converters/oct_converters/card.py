"""The card: what a model is, where it comes from, and what is known of how good it is."""

import platform
from dataclasses import asdict
from importlib import metadata
from typing import Any

from oct_converters.calibration import CalibrationSet
from oct_converters.decision import OperatingPoint
from oct_converters.golden import GoldenSet
from oct_converters.parity import Parity
from oct_converters.run import Run
from oct_edge.bundle import SCHEMA
from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import PREPROCESSING

INTENDED_USE = (
    "Research on sorting macular OCT B-scans into CNV, DME, DRUSEN and NORMAL. A B-scan is not an eye: "
    "the model was not validated on volumes, on other scanners than its training data's, or for any clinical decision."
)
_PACKAGES = ("oct-edge", "tensorflow", "keras", "ai-edge-litert", "numpy", "pillow")
_IMAGENET = "MobileNet v1 ImageNet weights, Google, Apache-2.0"


def make_card(
    run: Run,
    name: str,
    calibration: CalibrationSet,
    parity: Parity,
    metrics: dict[str, dict[str, Any]],
    temperature: float,
    point: OperatingPoint,
    golden: GoldenSet,
    attributions: tuple[str, ...],
) -> dict[str, Any]:
    """The card as JSON-ready content; `metrics` maps `float32` and `int8` to figures a split."""
    record = run.record
    imagenet = (_IMAGENET,) if record["weights"]["kind"] == "imagenet" else ()
    return {
        "schema": SCHEMA,
        "name": name,
        "network": run.network,
        "classes": list(LABELS),
        "preprocessing": PREPROCESSING,
        "disclaimer": DISCLAIMER,
        "intended_use": INTENDED_USE,
        "temperature": temperature,
        "operating_point": asdict(point),
        "quantization": {
            "method": "post-training full-integer int8",
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
        "metrics": metrics,
        "parity": parity.to_dict(),
        "golden": golden.card,
        "licences": ["model: Apache-2.0", *imagenet, *attributions],
        "software": {package: metadata.version(package) for package in _PACKAGES}
        | {"python": platform.python_version()},
    }


def _prior(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: round(count / total, 4) for name, count in counts.items()}
