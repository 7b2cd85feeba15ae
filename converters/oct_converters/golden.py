"""Known answers for synthetic phantoms: what a device must reproduce before it may serve a model."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from oct_edge.errors import ModelUnfit, RuntimeUnavailable
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand, to_grey
from oct_edge.runtime import DEFAULT_KIND, Kernels, installed_runtimes, open_runtime
from oct_edge.scan import Scan
from oct_trainer.phantom import render

SEED = 2018_1122  # no training set uses it
_DEPLOYED: tuple[Kernels, ...] = ("default", "builtin")  # XNNPACK refuses some models, so both have to do


@dataclass(frozen=True)
class GoldenSet:
    """`images`: name to PNG bytes. `card`: the entry of the card, with the tolerance measured here."""

    images: dict[str, bytes]
    card: dict[str, object]


def make_golden(tflite: bytes, scans: np.ndarray) -> GoldenSet:
    """Answers of the reference kernels for one phantom a class, and how far the installed runtimes are from them.

    The reference kernels answer the same on every machine. The optimised kernels may differ by a few steps, and those
    of one runtime differ from one processor to the next: tflite-runtime's were 0 steps away on x86-64 and 3 on ARM,
    where XNNPACK's were 3 on both. So every runtime is allowed what the worst of them needed here on the phantoms and
    on `scans` (uint8 `[n, 224, 224]`), with and without XNNPACK, and one step more. A runtime that is installed and
    does not work is left out.
    """
    greys = {f"golden/{name}.png": _phantom(name) for name in LABELS}
    pictures = [*greys.values(), *scans]
    truth = _logits(tflite, pictures, DEFAULT_KIND, "reference")
    measured = {}
    for kind in installed_runtimes():
        with suppress(RuntimeUnavailable, ModelUnfit):
            found = np.stack([_logits(tflite, pictures, kind, kernels) for kernels in _DEPLOYED])
            measured[kind] = int(np.abs(found - truth).max())
    answers = [{"input": name, "logits": row.tolist()} for name, row in zip(greys, truth, strict=False)]
    card: dict[str, object] = {
        "answers": answers,
        "measured": measured,
        "measured_on": {"phantoms": len(greys), "scans": len(scans)},
        "tolerance": dict.fromkeys(measured, max(measured.values()) + 1),
        "inputs": "synthetic phantoms",
    }
    return GoldenSet({name: _png(grey) for name, grey in greys.items()}, card)


def _phantom(label: str) -> np.ndarray:
    return to_grey(Scan(render(label, SEED).pixels, "", f"synthetic phantom {label}"))


def _logits(tflite: bytes, pictures: Sequence[np.ndarray], kind: str, kernels: Kernels) -> np.ndarray:
    runtime = open_runtime(tflite, kind, kernels=kernels)
    return np.stack([runtime.invoke(expand(grey))["logits"].astype(np.int16) for grey in pictures])


def _png(grey: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
