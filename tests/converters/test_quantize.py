"""The int8 model is what the contract says, and every stage sees the same bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_converters.calibration import CalibrationSet, draw_calibration
from oct_converters.edgetpu.constraints import check
from oct_converters.flatbuffer import float_operators
from oct_converters.graph import read_graph
from oct_edge.errors import CalibrationError
from oct_edge.preprocess import expand, to_tensor
from oct_edge.runtime import Runtime, open_runtime
from oct_edge.scan import read_scan
from oct_trainer.dataset import read_dataset
from oct_trainer.pictures import Pictures, load_pictures

keras = pytest.importorskip("keras")
quantize = pytest.importorskip("oct_converters.quantize")
pytestmark = [pytest.mark.tf, pytest.mark.slow]


@pytest.fixture(scope="module")
def pictures(phantoms: Path) -> Pictures:
    return load_pictures(read_dataset(phantoms).split("train"))


@pytest.fixture(scope="module", params=["mobilenet", "compact"])
def model(request: pytest.FixtureRequest, runs: Path):
    return keras.saving.load_model(runs / request.param / "model.keras", compile=False)


@pytest.fixture(scope="module")
def int8(model, pictures: Pictures) -> bytes:
    return quantize.to_int8(model, draw_calibration(pictures, 16))


@pytest.fixture(scope="module")
def float32(model) -> bytes:
    return quantize.to_float32(model)


def test_the_input_has_scale_one_and_zero_point_zero(int8: bytes) -> None:
    runtime = open_runtime(int8)
    runtime.require_contract()
    assert runtime._input["dtype"] is np.uint8
    assert runtime._input["quantization"] == (1.0, 0)


def test_no_operator_touches_a_float_tensor(int8: bytes, float32: bytes) -> None:
    assert float_operators(int8) == []
    assert "CONV_2D" in float_operators(float32)


def test_constants_stand_at_multiples_of_16_bytes(int8: bytes, unaligned: Callable[[bytes], list[int]]) -> None:
    """SIMD kernels and delegates rely on it."""
    assert unaligned(int8) == []


def test_scores_come_first_and_every_output_is_unsigned(int8: bytes) -> None:
    runtime = open_runtime(int8)
    outputs = runtime.invoke(np.zeros((1, 224, 224, 3), np.uint8))
    assert set(outputs) >= {"scores", "logits", "embedding"}
    assert {value.dtype for value in outputs.values()} == {np.dtype(np.uint8)}
    assert runtime._interpreter.get_output_details()[0]["index"] == runtime._output_details["scores"]["index"]
    assert runtime.outputs["scores"].scale == 1 / 256


def test_the_mean_of_the_class_activation_map_is_the_logits(model, int8: bytes, pictures: Pictures) -> None:
    runtime = open_runtime(int8)
    if model.name != "compact":
        assert set(runtime.outputs) == {"scores", "logits", "embedding"}, "three dense layers have no such map"
        return
    outputs = {
        name: runtime.outputs[name].dequantize(value)
        for name, value in runtime.invoke(expand(pictures.grey[0])).items()
    }
    assert outputs["cam"].shape == (14, 14, 4)
    step = max(runtime.outputs["cam"].scale, runtime.outputs["logits"].scale)
    np.testing.assert_allclose(outputs["cam"].mean((0, 1)), outputs["logits"], atol=3 * step)


def test_no_output_loses_a_step_on_its_way_to_unsigned(int8: bytes) -> None:
    """A QUANTIZE of the same scale, 128 higher, behind whatever made the tensor."""
    model = schema.ModelT.InitFromPackedBuf(int8, 0)
    graph = model.subgraphs[0]
    makers = {int(operator.outputs[0]): operator for operator in graph.operators}
    for output in graph.outputs:
        (source,) = makers[int(output)].inputs
        before, after = (graph.tensors[int(i)].quantization for i in (source, output))
        assert (after.scale, after.zeroPoint - 128) == (before.scale, before.zeroPoint)


def test_dense_weights_have_one_scale_where_that_is_asked_for_and_convolutions_one_a_channel(
    model, int8: bytes, pictures: Pictures
) -> None:
    per_tensor = quantize.to_int8(model, draw_calibration(pictures, 16), per_tensor_dense=True)
    for content, expected in ((int8, "channels"), (per_tensor, "one")):
        for operator in read_graph(content).operators:
            if operator.name in ("FULLY_CONNECTED", "CONV_2D"):
                weights = operator.inputs[1]
                one = operator.name == "FULLY_CONNECTED" and expected == "one"
                assert len(weights.quantization.scales) == (1 if one else weights.shape[0])
    assert not check(int8).whole
    assert check(per_tensor).whole


def test_keras_float_and_int8_see_identical_bytes(int8: bytes, float32: bytes, pictures: Pictures) -> None:
    from oct_trainer.stream import batches

    tensor = to_tensor(read_scan(pictures.samples[5].path))
    seen_by_keras = next(iter(batches(pictures)))[0].numpy()[5:6]
    np.testing.assert_array_equal(seen_by_keras, tensor)
    for content in (int8, float32):
        np.testing.assert_array_equal(_seen_by(open_runtime(content, kernels="reference"), tensor), tensor)
    calibrated = list(draw_calibration(pictures, 16).representative_dataset()())
    assert all((batch[0].min(), batch[0].max()) == (0, 255) for batch in calibrated)
    assert all((batch[0] == expand(g)).mean() > 0.9999 for batch, g in zip(calibrated, _chosen(pictures), strict=True))


def _chosen(pictures: Pictures) -> list[np.ndarray]:
    return [pictures.grey[i] for i in draw_calibration(pictures, 16).chosen]


def _seen_by(runtime: Runtime, tensor: np.ndarray) -> np.ndarray:
    """What stands in the interpreter's input after our own runtime has run it."""
    runtime.invoke(tensor)
    return runtime._interpreter.get_tensor(runtime._input["index"])


def test_float_tflite_answers_as_keras_does(model, float32: bytes, pictures: Pictures) -> None:
    runtime = open_runtime(float32)
    for grey in pictures.grey[:4]:
        scores = runtime.invoke(expand(grey))["scores"]
        np.testing.assert_allclose(scores, model.predict(expand(grey), verbose=0)[0], atol=1e-4)


def test_a_set_that_was_not_consumed_is_refused(model, pictures: Pictures) -> None:
    calibration = draw_calibration(pictures, 16)
    calibration.consumed = 3
    with pytest.raises(CalibrationError, match="consumed 19 of 16"):
        quantize.to_int8(model, calibration)


def test_a_calibration_set_that_spans_12_to_235_is_refused(
    model, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    if model.name != "compact":
        pytest.skip("one network shows it")

    class Narrow(CalibrationSet):
        def representative_dataset(self):
            def batches():
                for (batch,) in CalibrationSet.representative_dataset(self)():
                    yield [np.clip(batch, 12, 235)]

            return batches

    with pytest.raises(CalibrationError, match="scale and zero point"):
        quantize.to_int8(model, Narrow(pictures, draw_calibration(pictures, 16).chosen))
