"""`oct-edge watch` with a model that may not be served: refused at the start, in one line; and one that may, which is
asked the same a thousand times."""

import json
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_edge.bundle import CARD, open_bundle, pack
from oct_edge.preprocess import to_tensor
from oct_edge.runtime import open_runtime
from oct_edge.scan import read_scan
from oct_models import DEFAULT, bundled_models

SHARED = Path(__file__).parents[3] / "shared" / "data"
COMPILED = SHARED / "weights" / "coral" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"


class Parts:
    """The default model, taken apart; `content` is what they make together again."""

    def __init__(self) -> None:
        whole = bundled_models()[DEFAULT].read_bytes()
        with zipfile.ZipFile(BytesIO(whole)) as tail:
            self.card: dict[str, Any] = json.loads(tail.read(CARD))
            self.files = {name: tail.read(name) for name in tail.namelist() if name.endswith((".png", ".npz"))}
        self.flatbuffer = whole[: self.card["tflite"]["bytes"]]

    def content(self) -> bytes:
        return pack(self.flatbuffer, self.card, self.files)


def _cut(parts: Parts) -> bytes:
    return parts.content()[:-1000]


def _another_weight(parts: Parts) -> bytes:
    content = bytearray(parts.content())
    content[len(parts.flatbuffer) // 2] ^= 1
    return bytes(content)


def _another_order_of_classes(parts: Parts) -> bytes:
    parts.card["classes"].reverse()
    return parts.content()


def _floats(parts: Parts) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(parts.flatbuffer, 0)
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    builder = flatbuffers.Builder(len(parts.flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    parts.flatbuffer = bytes(builder.Output())
    return parts.content()


def _compiled_for_the_edge_tpu(parts: Parts) -> bytes:
    if not COMPILED.exists():
        pytest.skip("needs the compiled models in ../shared/data/weights/coral")
    whole = COMPILED.read_bytes()
    with zipfile.ZipFile(BytesIO(whole)) as tail:
        parts.flatbuffer = whole[: min(entry.header_offset for entry in tail.infolist())]
    return parts.content()


@pytest.mark.system
@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (None, "model_not_found", "neither a bundled model nor a readable file"),
        (lambda parts: b"", "model_damaged", "no whole card behind the model"),
        (_cut, "model_damaged", "no whole card behind the model"),
        (_another_weight, "model_damaged", "SHA-256 differs"),
        (_another_order_of_classes, "model_unfit", "this version grades"),
        (_floats, "model_unfit", "the input is float32"),
        (_compiled_for_the_edge_tpu, "model_unfit", "edgetpu-custom-op"),
    ],
    ids=["missing", "empty", "cut", "another weight", "other order", "floats", "edge tpu"],
)
def test_a_model_that_may_not_be_served_is_refused_in_one_line_and_nothing_is_made(
    daemon: Any, samples: list[Path], spoil: Callable[[Parts], bytes] | None, code: str, said: str
) -> None:
    model = daemon.folder / "model.tflite"
    if spoil:
        model.write_bytes(spoil(Parts()))
    shutil.copy(samples[0], daemon.inbox)
    assert daemon.once("--model", model, stable=0) == 78
    error, hint = daemon.log().splitlines()
    assert error.startswith(f"error [{code}]: ")
    assert said in error
    assert hint.startswith("  hint: ")
    assert daemon.printed() == []
    assert not daemon.output.exists()
    assert not daemon.state.exists()


@pytest.mark.parametrize("times", [60, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_scan_has_the_same_answer_each_time_whatever_the_number_of_threads(samples: list[Path], times: int) -> None:
    bundle = open_bundle()
    tensor = to_tensor(read_scan(samples[0]))
    runtimes = [open_runtime(bundle.content, threads=threads) for threads in (1, 4)]
    answers = np.stack([r.invoke(tensor)["logits"] for r in runtimes for _ in range(times)]).astype(np.int16)
    assert len(set(answers.argmax(axis=1))) == 1
    assert np.ptp(answers, axis=0).max() <= 1
