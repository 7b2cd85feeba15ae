"""Known answers for synthetic phantoms: what a device must reproduce before it may serve a model."""

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from oct_edge.errors import RuntimeUnavailable
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand, to_grey
from oct_edge.runtime import installed_runtimes, open_runtime
from oct_edge.scan import Scan
from oct_trainer.phantom import render

SEED = 2018_1122  # no training set uses it


@dataclass(frozen=True)
class GoldenSet:
    """`images`: name to PNG bytes. `card`: the entry of the card, with the tolerance measured here."""

    images: dict[str, bytes]
    card: dict[str, object]


def make_golden(tflite: bytes) -> GoldenSet:
    """Answers of the reference kernels for one phantom a class, and how far the installed runtimes are from them.

    The reference kernels answer the same on every machine. The optimised kernels may differ by a few steps; a
    runtime's tolerance is the largest difference measured here, and one step more for a processor that was not.
    A runtime that is installed and does not work is left out.
    """
    greys = {f"golden/{name}.png": _phantom(name) for name in LABELS}
    truth = _logits(tflite, greys, "litert", reference=True)
    measured = {}
    for kind in installed_runtimes():
        with suppress(RuntimeUnavailable):
            measured[kind] = int(np.abs(_logits(tflite, greys, kind) - truth).max())
    answers = [{"input": name, "logits": row.tolist()} for name, row in zip(greys, truth, strict=True)]
    card: dict[str, object] = {
        "answers": answers,
        "measured": measured,
        "tolerance": {kind: steps + 1 for kind, steps in measured.items()},
        "inputs": "synthetic phantoms",
    }
    return GoldenSet({name: _png(grey) for name, grey in greys.items()}, card)


def _phantom(label: str) -> np.ndarray:
    return to_grey(Scan(render(label, SEED).pixels, "", f"synthetic phantom {label}"))


def _logits(tflite: bytes, greys: dict[str, np.ndarray], kind: str, *, reference: bool = False) -> np.ndarray:
    runtime = open_runtime(tflite, kind, reference=reference)
    return np.stack([runtime.invoke(expand(grey))["logits"].astype(np.int16) for grey in greys.values()])


def _png(grey: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
