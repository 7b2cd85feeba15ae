"""The evidence as one object: JSON for machines here, Markdown for people in `markdown`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from oct_converters.parity.answers import FLOAT32, Answers, Reader
from oct_converters.parity.compare import Comparison, compare
from oct_converters.parity.gates import Failure, Gates, failures
from oct_converters.parity.held_out import HeldOut, Urgency, calibration_of, hold_out
from oct_converters.parity.layers import LayerError
from oct_edge.labels import DISCLAIMER
from oct_trainer.metrics.calibration import TEMPERATURES

SCHEMA = "oct-edge/parity@1"


@dataclass(frozen=True)
class Report:
    """Everything that was measured of `model`; the mappings go by reader, the first int8 reader is the deployed one.

    `missing` says why an installed runtime was not measured. `sha256` is that of the int8 flatbuffer, as in its card.
    """

    model: str
    sha256: str
    calibrated: int
    gates: Gates
    urgency: Urgency
    identities: Mapping[str, str]
    missing: Mapping[str, str]
    scans: Mapping[str, int]
    float32: Comparison
    comparisons: Mapping[str, Comparison]
    held_out: Mapping[str, HeldOut]
    calibration: Mapping[str, Any]
    layers: tuple[LayerError, ...]
    failures: tuple[Failure, ...]

    @property
    def deployed(self) -> str:
        return next(iter(self.comparisons))

    def warnings(self) -> list[str]:
        """What makes the proof worth less than it looks."""
        found = []
        if loosened := self.gates.loosened():
            found.append(f"Gates looser than the defaults: {', '.join(loosened)}.")
        if self.held_out[self.deployed].answered == 1:
            found.append("The network gives one class to every held-out scan; that int8 does too proves nothing.")
        if self.urgency.temperature in TEMPERATURES:
            found.append(f"The temperature of {self.urgency.temperature:g} is the end of what is searched.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """With the names of the scans that flipped."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "tflite_sha256": self.sha256,
            "passed": not self.failures,
            "failures": [failure.to_dict() for failure in self.failures],
            **self.summary(),
            "flipped": {name: part.to_dict()["flipped"] for name, part in self.comparisons.items()},
            "layers": [layer.to_dict() for layer in self.layers],
            "disclaimer": DISCLAIMER,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def summary(self) -> dict[str, Any]:
        """What goes into the card: no names of scans."""
        return {
            "warnings": self.warnings(),
            "gates": asdict(self.gates),
            "urgency": asdict(self.urgency),
            "scans": dict(self.scans),
            "calibrated": self.calibrated,
            "float32": self.float32.summary(),
            "int8": {
                name: {
                    "runtime": self.identities[name],
                    "all": part.summary(),
                    "held_out": self.held_out[name].to_dict(),
                }
                for name, part in self.comparisons.items()
            },
            "not_measured": dict(self.missing),
            "calibration": dict(self.calibration),
        }


def make_report(
    model: str,
    content: bytes,
    calibrated: int,
    answers: Answers,
    readers: tuple[list[Reader], Mapping[str, str]],
    urgency: Urgency,
    gates: Gates,
    layers: tuple[LayerError, ...],
) -> Report:
    """Compare everybody with the parent: alike on all scans, as right on those of `val` and `test`."""
    opened, missing = readers
    names = [reader.name for reader in opened if reader.name != FLOAT32]
    held_out = answers.of("val", "test")
    comparisons = {name: compare(answers, name, gates.min_margin) for name in names}
    outcomes = {name: hold_out(held_out, name, urgency) for name in names}
    tested = "test" if "test" in answers.splits else "val"
    return Report(
        model,
        hashlib.sha256(content).hexdigest(),
        calibrated,
        gates,
        urgency,
        {reader.name: reader.runtime.identity for reader in opened},
        missing,
        {str(split): int((answers.splits == split).sum()) for split in dict.fromkeys(answers.splits)},
        compare(answers, FLOAT32, gates.min_margin),
        comparisons,
        outcomes,
        {"split": tested, **calibration_of(answers.of(tested), names[0], urgency.temperature)},
        layers,
        failures(comparisons, outcomes, gates),
    )
