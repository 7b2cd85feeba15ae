"""Is the int8 model as good as its float parent? Both answer the same scans through the device's own runtime.

Agreement needs no labels and is measured on every scan that was not used for calibration. Probabilities are compared
before temperature scaling.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from oct_edge.classifier import softmax
from oct_edge.preprocess import expand
from oct_edge.runtime import Runtime
from oct_trainer.metrics import summarise
from oct_trainer.pictures import Pictures

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Gates:
    """What an int8 model has to reach: the limits are inclusive."""

    max_accuracy_drop: float = 0.01
    min_agreement: float = 0.98


@dataclass(frozen=True, eq=False)
class Answers:
    """Logits of both models, float32 `[n, 4]`, for the scans of one split."""

    pictures: Pictures
    float32: np.ndarray
    int8: np.ndarray


@dataclass(frozen=True)
class Parity:
    """How two models compare on `scans` scans; probabilities in 0..1, `changed` lists the scans that flipped."""

    scans: int
    accuracy_float32: float
    accuracy_int8: float
    agreement: float
    mean_probability_change: float
    max_probability_change: float
    changed: tuple[str, ...]

    @property
    def accuracy_drop(self) -> float:
        return self.accuracy_float32 - self.accuracy_int8

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"accuracy_drop": self.accuracy_drop}

    def summary(self) -> dict[str, Any]:
        """As `to_dict`, with the number of changed scans in place of their names, which may be patients'."""
        return self.to_dict() | {"changed": len(self.changed)}


def answer(pictures: Pictures, float32: Runtime, int8: Runtime, on_progress: Progress | None = None) -> Answers:
    """Both models' logits for these scans."""
    logits = np.empty((2, len(pictures.grey), 4), np.float32)
    for i, grey in enumerate(pictures.grey):
        tensor = expand(grey)
        logits[0, i], logits[1, i] = float32.logits(tensor), int8.logits(tensor)
        if on_progress:
            on_progress(i + 1, len(pictures.grey))
    return Answers(pictures, logits[0], logits[1])


def compare(parts: list[Answers]) -> Parity:
    """The comparison over all scans of the parts."""
    labels = np.concatenate([part.pictures.labels for part in parts])
    names = [sample.path.name for part in parts for sample in part.pictures.samples]
    before = softmax(np.concatenate([part.float32 for part in parts]))
    after = softmax(np.concatenate([part.int8 for part in parts]))
    changes = np.abs(before - after).max(axis=1)
    flipped = before.argmax(1) != after.argmax(1)
    return Parity(
        scans=len(labels),
        accuracy_float32=float((before.argmax(1) == labels).mean()),
        accuracy_int8=float((after.argmax(1) == labels).mean()),
        agreement=float(1 - flipped.mean()),
        mean_probability_change=float(changes.mean()),
        max_probability_change=float(changes.max()),
        changed=tuple(name for name, flip in zip(names, flipped, strict=True) if flip),
    )


def failures(parity: Parity, gates: Gates) -> list[str]:
    """One sentence for each gate that the int8 model does not pass."""
    found = []
    # The limits themselves pass, whatever floats make of them.
    if parity.accuracy_drop > gates.max_accuracy_drop + 1e-9:
        found.append(
            f"max-accuracy-drop: accuracy drops by {parity.accuracy_drop:.4f}, {gates.max_accuracy_drop} allowed"
        )
    if parity.agreement < gates.min_agreement - 1e-9:
        found.append(f"min-agreement: the models agree on {parity.agreement:.4f}, {gates.min_agreement} needed")
    return found


def figures(part: Answers) -> dict[str, dict[str, Any]]:
    """Accuracy and its relatives of both models on one split, for the card."""
    labels, patients = part.pictures.labels, part.pictures.patients
    return {
        "float32": summarise(labels, part.float32.argmax(1), patients),
        "int8": summarise(labels, part.int8.argmax(1), patients),
    }
