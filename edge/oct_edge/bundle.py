"""A model and its card: one file, loaded whole, verified, or refused.

The file is a TFLite flatbuffer with a zip archive behind it (the place that TFLite Metadata defines for associated
files): interpreters read it from the front and see a model, `zipfile` reads it from the back and sees `card.json` and
the golden inputs. The card holds length and SHA-256 of the flatbuffer, so an edited or cut model is known before it is
run; the SHA-256 of the whole file is the model's identity in results.
"""

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oct_edge.errors import ModelDamaged, ModelNotFound, ModelUnfit
from oct_edge.gate.gate import Gate
from oct_edge.gate.known import read_groups
from oct_edge.gate.pixels import PixelLimits
from oct_edge.labels import LABELS
from oct_edge.preprocess import PREPROCESSING, SIZE
from oct_models import DEFAULT, bundled_models

SCHEMA = "oct-edge/card@1"
CARD = "card.json"
STATISTICS = "gate.npz"
LABELS_FILE = "labels.txt"  # named so by the TFLite Metadata in the flatbuffer, for other readers
EDGETPU = "edgetpu"
_DAMAGE = (
    *(LookupError, TypeError, AttributeError, ValueError, OSError, EOFError, RuntimeError, SyntaxError, zlib.error),
    *(OverflowError, MemoryError, Image.DecompressionBombError),
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: the same model is the same bytes


@dataclass(frozen=True, eq=False)
class Golden:
    """A known answer: grey uint8 `[224, 224]`, and the logits `[4]`, as stored, of the reference kernels for it."""

    grey: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class SameClass:
    """The tolerance of hardware with an arithmetic of its own: the same class, no probability off by over `max_dp`."""

    max_dp: float

    def __post_init__(self) -> None:
        if not 0 < self.max_dp < 1:
            raise ValueError("the tolerance of golden probabilities is out of range")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified model.

    `content` is the whole file, `sha256` its digest. Logits are divided by `temperature`; a scan whose
    p(CNV)+p(DME) reaches `urgent_threshold` is urgent; where no other group reaches `min_confidence` either, the answer
    is left to a person. `golden_tolerance` maps a runtime to the steps its golden logits may differ by, and `edgetpu`
    to class and probabilities. `gate` knows what scans the model can be asked about. `card` is everything, as parsed.
    """

    name: str
    content: bytes
    sha256: str
    temperature: float
    urgent_threshold: float
    min_confidence: float
    golden: tuple[Golden, ...]
    golden_tolerance: Mapping[str, int | SameClass]
    gate: Gate
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        # Above 0.5 a scan labelled CNV or DME could fail to be urgent; NaN fails every comparison.
        if not (0 < self.temperature < math.inf and 0 < self.urgent_threshold <= 0.5 and 0 < self.min_confidence < 1):
            raise ValueError("the decision's parameters are out of range")
        if not self.golden or not self.golden_tolerance or min(self._steps(), default=0) < 0:
            raise ValueError("no golden answers, or no tolerance for them")

    def tolerance_on(self, runtime: str) -> int | SameClass:
        """What golden answers are held to; a runtime that was not measured gets the widest of the others.

        A model for the Edge TPU has no steps, and runs nowhere else: what its card has goes for every runtime.
        """
        steps = self._steps()
        widest = max(steps) if steps else next(iter(self.golden_tolerance.values()))
        return self.golden_tolerance.get(runtime, widest)

    def _steps(self) -> tuple[int, ...]:
        return tuple(tolerance for tolerance in self.golden_tolerance.values() if isinstance(tolerance, int))


def open_bundle(name_or_path: str = DEFAULT) -> Bundle:
    """The bundled model of that name, or the model in that file.

    Raises:
        ModelNotFound: neither a name nor a file.
        ModelDamaged: not a model of this project, cut, or edited.
        ModelUnfit: other classes or another preprocessing than this version has.
    """
    return read_bundle(read_model(name_or_path), name_or_path)


def read_model(name_or_path: str = DEFAULT) -> bytes:
    """The bytes of the bundled model of that name, or of that file; nothing is verified.

    Raises:
        ModelNotFound: neither a name nor a file.
    """
    path = bundled_models().get(name_or_path) or Path(name_or_path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelNotFound(f"{name_or_path}: neither a bundled model nor a readable file.") from error


def read_bundle(content: bytes, name: str) -> Bundle:
    """The bundle in the bytes of a file; `name` is used in messages. Raises as `open_bundle`."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as tail:
            card = json.loads(tail.read(CARD))
            _check_intact(content, card, name)
            _check_fit(card, name)
            golden = tuple(_golden(tail, entry) for entry in card["golden"]["answers"])
            point = card["operating_point"]
            return Bundle(
                card["name"],
                content,
                hashlib.sha256(content).hexdigest(),
                float(card["temperature"]),
                float(point["urgent_threshold"]),
                float(point["min_confidence"]),
                golden,
                {str(kind): _tolerance(entry) for kind, entry in card["golden"]["tolerance"].items()},
                _gate(tail, card["gate"]),
                card,
            )
    except zipfile.BadZipFile as error:
        raise ModelDamaged(
            f"{name}: no whole card behind the model: it is cut, changed, or was never made for a device.",
            hint="Copy the model again; `oct-convert --int8` makes those that a device serves.",
        ) from error
    except _DAMAGE as error:
        raise ModelDamaged(f"{name}: the card is incomplete or damaged ({error}).") from error


def pack(tflite: bytes, card: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """One file of a flatbuffer, its card, the labels and the files that go with it; the same input, the same bytes.

    Nothing is deflated: other readers take the labels from the file as they stand.
    """
    described = dict(card) | {"tflite": {"bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}}
    buffer = BytesIO()
    buffer.write(tflite)
    with zipfile.ZipFile(buffer, "a") as tail:
        tail.writestr(zipfile.ZipInfo(CARD, _EPOCH), json.dumps(described, indent=1, ensure_ascii=False))
        tail.writestr(zipfile.ZipInfo(LABELS_FILE, _EPOCH), "".join(f"{label}\n" for label in LABELS))
        for name, content in files.items():
            tail.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def _check_intact(content: bytes, card: Mapping[str, Any], name: str) -> None:
    if card.get("schema") != SCHEMA:
        raise ModelUnfit(f"{name}: card schema {card.get('schema')!r}, this version reads {SCHEMA!r}.")
    flatbuffer = content[: card["tflite"]["bytes"]]
    if hashlib.sha256(flatbuffer).hexdigest() != card["tflite"]["sha256"]:
        raise ModelDamaged(f"{name}: the model is not the one its card describes (SHA-256 differs).")


def _check_fit(card: Mapping[str, Any], name: str) -> None:
    if tuple(card["classes"]) != LABELS:
        raise ModelUnfit(f"{name}: classes {card['classes']}, this version grades {list(LABELS)}.")
    if card["preprocessing"] != PREPROCESSING:
        raise ModelUnfit(
            f"{name}: made for preprocessing {card['preprocessing']!r}, this version has {PREPROCESSING!r}."
        )


def _tolerance(entry: Any) -> int | SameClass:
    if not isinstance(entry, dict):
        return int(entry)
    if entry["class"] is not True:
        raise ValueError("a golden tolerance that does not hold to the class")
    return SameClass(float(entry["max_dp"]))


def _gate(tail: zipfile.ZipFile, entry: Mapping[str, Any]) -> Gate:
    limits = entry["groups"]
    return Gate(PixelLimits(**entry["pixels"]), read_groups(tail.read(STATISTICS), limits) if limits else ())


def _golden(tail: zipfile.ZipFile, entry: Mapping[str, Any]) -> Golden:
    with Image.open(BytesIO(tail.read(entry["input"]))) as image:
        grey, logits = np.asarray(image), np.array(entry["logits"], np.int16)
    if grey.shape != (SIZE, SIZE) or logits.shape != (len(LABELS),):
        raise ValueError(f"golden input {entry['input']} is {grey.shape} with {logits.shape} logits")
    return Golden(grey, logits)
