"""Two runtimes, one answer; and no model that would need arithmetic on its input gets as far as answering."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_converters.flatbuffer import float_operators
from oct_edge.bundle import Bundle, open_bundle
from oct_edge.errors import InferenceFailed, ModelUnfit, RuntimeUnavailable
from oct_edge.preprocess import SIZE, expand, to_tensor
from oct_edge.runtime import KINDS, RUNTIMES, Quantization, installed_runtimes, open_runtime
from oct_edge.scan import read_scan
from oct_models import DEFAULT, bundled_models

needs_tflite = pytest.mark.skipif("tflite" not in installed_runtimes(), reason="tflite-runtime is not installed")
each_runtime = pytest.mark.parametrize("kind", ["litert", pytest.param("tflite", marks=needs_tflite)])


def flatbuffer_of(bundle: Bundle) -> bytes:
    return bundle.content[: bundle.card["tflite"]["bytes"]]


def edited(tflite: bytes, edit: Callable[[Any, Any], None]) -> bytes:
    """The model after `edit(model, its input tensor)`."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    edit(model, model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]])
    builder = flatbuffers.Builder(len(tflite))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def take_floats(model: Any, tensor: Any) -> None:
    tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None


def halve_the_scale(model: Any, tensor: Any) -> None:
    tensor.quantization.scale = [0.5]


def shift_zero(model: Any, tensor: Any) -> None:
    tensor.quantization.zeroPoint = [1]


def take_smaller_pictures(model: Any, tensor: Any) -> None:
    tensor.shape = [1, 192, 192, 3]


def rename(output: bytes) -> Callable[[Any, Any], None]:
    def edit(model: Any, tensor: Any) -> None:
        entry = next(entry for entry in model.signatureDefs[0].outputs if entry.name == output)
        entry.name = b"answers"

    return edit


@each_runtime
@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        pytest.param(take_floats, "float32", id="float input"),
        pytest.param(halve_the_scale, "scale and zero point", id="other scale"),
        pytest.param(shift_zero, "scale and zero point", id="other zero point"),
        pytest.param(take_smaller_pictures, "192", id="other size"),
        pytest.param(rename(b"logits"), "no output `logits`", id="no logits"),
        pytest.param(rename(b"scores"), "no output `scores`", id="no scores"),
    ],
)
def test_a_model_that_breaks_the_contract_is_refused(
    bundle: Bundle, kind: str, edit: Callable[[Any, Any], None], complaint: str
) -> None:
    runtime = open_runtime(edited(flatbuffer_of(bundle), edit), kind)
    with pytest.raises(ModelUnfit, match=complaint):
        runtime.require_contract()


@each_runtime
def test_a_model_without_a_signature_is_refused(bundle: Bundle, kind: str) -> None:
    nameless = edited(flatbuffer_of(bundle), lambda model, _: setattr(model, "signatureDefs", []))
    with pytest.raises(ModelUnfit, match="one signature"):
        open_runtime(nameless, kind)


@each_runtime
@pytest.mark.parametrize("content", [b"", b"not a model" * 10], ids=["empty", "text"])
def test_bytes_that_are_no_model_are_refused(kind: str, content: bytes) -> None:
    with pytest.raises(ModelUnfit, match="cannot read the model"):
        open_runtime(content, kind)


@each_runtime
def test_a_model_compiled_for_the_edge_tpu_is_refused_without_one(coral: list[Path], kind: str) -> None:
    compiled = next(path for path in coral if path.stem.endswith("_edgetpu"))
    with pytest.raises(ModelUnfit, match="edgetpu-custom-op"):
        open_runtime(compiled.read_bytes(), kind)


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_keeps_the_contract_and_is_integer_throughout(name: str) -> None:
    content = open_bundle(name).content
    runtime = open_runtime(content)
    runtime.require_contract()
    assert float_operators(content) == []
    assert runtime.invoke(np.zeros((1, SIZE, SIZE, 3), np.uint8))["logits"].dtype.itemsize == 1


@needs_tflite
def test_both_runtimes_give_one_answer_for_every_sample(bundle: Bundle, samples: list[Path]) -> None:
    litert, tflite = open_runtime(bundle.content, "litert"), open_runtime(bundle.content, "tflite")
    for path in samples:
        tensor = to_tensor(read_scan(path))
        first, second = (runtime.invoke(tensor)["logits"].astype(int) for runtime in (litert, tflite))
        assert first.argmax() == second.argmax()
        assert np.abs(first - second).max() <= bundle.tolerance_on("litert")


@each_runtime
def test_the_number_of_threads_changes_no_answer(bundle: Bundle, samples: list[Path], kind: str) -> None:
    one, four = open_runtime(bundle.content, kind, threads=1), open_runtime(bundle.content, kind, threads=4)
    for path in samples[::3]:
        tensor = to_tensor(read_scan(path))
        np.testing.assert_array_equal(one.logits(tensor), four.logits(tensor))


@pytest.mark.parametrize(
    "name", [name if name == DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in bundled_models()]
)
def test_the_reference_kernels_give_exactly_the_golden_answers(name: str) -> None:
    bundle = open_bundle(name)
    runtime = open_runtime(bundle.content, kernels="reference")
    for golden in bundle.golden[: 4 if name == DEFAULT else 1]:
        np.testing.assert_array_equal(runtime.invoke(expand(golden.grey))["logits"], golden.logits)


def test_logits_are_the_stored_answer_times_its_scale(bundle: Bundle) -> None:
    runtime = open_runtime(bundle.content)
    tensor = expand(bundle.golden[0].grey)
    stored, kept = runtime.invoke(tensor)["logits"].astype(np.float32), runtime.outputs["logits"]
    np.testing.assert_allclose(runtime.logits(tensor), kept.scale * (stored - kept.zero_point), rtol=1e-6)


def test_a_float_output_is_not_dequantized() -> None:
    answer = np.array([0.25, -1.5], np.float32)
    assert Quantization(0.0, 0).dequantize(answer) is answer


def test_a_tensor_of_another_size_fails_as_inference_and_leaves_the_runtime_usable(bundle: Bundle) -> None:
    runtime = open_runtime(bundle.content)
    with pytest.raises(InferenceFailed, match="failed on a scan"):
        runtime.invoke(np.zeros((1, 10, 10, 3), np.uint8))
    assert runtime.invoke(expand(bundle.golden[0].grey)).keys() >= {"logits", "scores"}


def test_an_unknown_runtime_is_unavailable_and_the_known_ones_are_named(bundle: Bundle) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        open_runtime(bundle.content, "onnx")
    assert all(kind in caught.value.hint for kind in KINDS)


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_runtime_that_is_not_installed_is_unavailable_and_says_how_to_get_it(
    bundle: Bundle, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, RUNTIMES[kind].module, None)
    with pytest.raises(RuntimeUnavailable, match=RUNTIMES[kind].package) as caught:
        open_runtime(bundle.content, kind)
    assert caught.value.hint == RUNTIMES[kind].hint


def test_auto_is_litert(bundle: Bundle) -> None:
    assert open_runtime(bundle.content).identity == f"litert {installed_runtimes()['litert']}"
