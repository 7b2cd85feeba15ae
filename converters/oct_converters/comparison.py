"""The network as float32 or float16 .tflite: what int8 is compared with. No card, so that no device serves it."""

import json
from functools import partial
from pathlib import Path
from typing import Literal

import keras

from oct_converters.card import about_model
from oct_converters.convert import Options, predictions_of
from oct_converters.metadata import add_metadata
from oct_converters.parity import Reader, answer, begin, compare
from oct_converters.quantize import to_float16, to_float32
from oct_converters.run import read_run, require_reproduced
from oct_edge.errors import GateFailed
from oct_edge.files import make_folder, require_free, write_together
from oct_edge.labels import DISCLAIMER
from oct_edge.runtime import open_runtime
from oct_trainer.predict import scores_of

SCHEMA = "oct-edge/comparison@1"
FloatKind = Literal["float32", "float16"]
FLOAT_KINDS: tuple[FloatKind, ...] = ("float32", "float16")
_CONVERT = {"float32": to_float32, "float16": to_float16}


def convert_float(
    folder: Path,
    data: Path,
    out: Path,
    kind: FloatKind,
    options: Options,
) -> Path:
    """Write `<network>-<kind>.tflite` and its parity with the Keras model on validation scans; returns the model file.

    Raises:
        GateFailed: it answers otherwise than its parent; no model is written.
        RunError, OutputUnavailable: nothing is written.
    """
    make_folder(out)
    run = read_run(folder, data)
    name = f"{run.network}-{kind}"
    path, report = out / f"{name}.tflite", out / f"{name}.parity.json"
    require_free([path], options.force)
    gates = options.gates
    logits = keras.Model(run.model.inputs, run.model.get_layer("logits").output)
    parent = begin({"val": run.pictures["val"]}, partial(scores_of, logits))
    require_reproduced(run, {"val": predictions_of(parent, run.root)})
    content = _CONVERT[kind](run.model)
    found = compare(answer(parent, [Reader(kind, "", open_runtime(content))]), kind, gates.min_margin)
    passed = found.agreement >= gates.min_agreement and found.mean_change <= gates.max_mean_change
    described = {"schema": SCHEMA, "model": name, "passed": passed, "val": found.to_dict(), "disclaimer": DISCLAIMER}
    evidence = {report: (json.dumps(described, indent=1, allow_nan=False) + "\n").encode()}
    if not passed:
        write_together(evidence)
        raise GateFailed(
            f"{name}: agreement {found.agreement:.4f}, mean change {found.mean_change:.4f}. No model was written.",
            hint=f"{report} lists the scans that changed.",
        )
    about = about_model(run, name, options.licence, options.attributions)
    write_together({**evidence, path: add_metadata(content, about)})
    return path
