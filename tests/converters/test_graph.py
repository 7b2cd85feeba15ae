"""The description of a model is that of the file, and its memory and work are those of the interpreter and networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_converters.graph import Graph, Port, multiply_adds, read_graph
from oct_edge.bundle import open_bundle
from oct_edge.errors import ModelDamaged
from oct_models import bundled_models
from oct_trainer.networks import NETWORKS

CORAL = Path(__file__).parents[3] / "shared" / "data" / "weights" / "coral"
PLANNED = 1.1  # the interpreter's arena over the estimate, at most, with kernels that need nothing besides


def graph_of(name: str) -> Graph:
    return read_graph(flatbuffer_of(name), name)


def flatbuffer_of(name: str) -> bytes:
    bundle = open_bundle(name)
    return bundle.content[: bundle.card["tflite"]["bytes"]]


def coral(name: str) -> bytes:
    path = CORAL / f"{name}.tflite"
    if not path.is_file():
        pytest.skip("needs ../shared/data/weights/coral")
    return path.read_bytes()


@pytest.fixture(scope="module")
def float_model() -> bytes:
    """A convolution, a dense layer and a softmax, in float32."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    from oct_edge.quiet import silenced

    pixels = keras.Input(batch_shape=(1, 8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu")(pixels)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, {"scores": keras.layers.Dense(4, activation="softmax")(x)})
    with silenced(1, 2):
        return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


@pytest.mark.parametrize("name", bundled_models())
def test_inputs_and_outputs_are_those_of_the_interpreter(name: str) -> None:
    interpreter = Interpreter(model_content=flatbuffer_of(name))
    signature = interpreter.get_signature_runner()
    graph = graph_of(name)
    assert _seen(graph.inputs) == _told(signature.get_input_details())
    assert _seen(graph.outputs) == _told(signature.get_output_details())
    assert [port.tensor.index for port in graph.outputs] == [d["index"] for d in interpreter.get_output_details()]


def _seen(ports: tuple[Port, ...]) -> dict[str, tuple]:
    return {
        port.name: (port.tensor.shape, port.tensor.type.lower(), quantization.scales[0], quantization.zero_points[0])
        for port in ports
        if (quantization := port.tensor.quantization)
    }


def _told(details: dict[str, Any]) -> dict[str, tuple]:
    return {
        name: (tuple(detail["shape"]), np.dtype(detail["dtype"]).name, *detail["quantization"])
        for name, detail in details.items()
    }


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_is_integer_with_weights_a_channel(name: str) -> None:
    graph = graph_of(name)
    assert graph.float_operators == 0
    assert graph.uncounted == ()
    assert graph.custom_bytes == 0
    assert graph.signatures == ("serving_default",)
    assert sum(graph.kinds.values()) == len(graph.operators)
    convolutions = [operator for operator in graph.operators if "CONV_2D" in operator.name]
    assert len(convolutions) > 4
    for operator in convolutions:
        assert operator.weights is not None
        assert operator.weights.quantization is not None
        axis = operator.weights.quantization.axis
        assert len(operator.weights.quantization.scales) == operator.weights.shape[axis] > 1


def _work(graph: Graph, chosen: Callable[[Any], bool]) -> int:
    return sum(multiply_adds(operator) or 0 for operator in graph.operators if chosen(operator))


def test_mobilenet_computes_what_the_table_of_networks_says() -> None:
    """Its batch norms are folded into the convolutions, so nothing is added and nothing is lost."""
    assert open_bundle("mobilenet-int8").card["network"] == "mobilenet"
    assert graph_of("mobilenet-int8").multiply_adds == NETWORKS["mobilenet"].multiply_adds


def test_compact_computes_what_the_table_says_but_for_its_batch_norms() -> None:
    """The table is for full-size pictures; one that is shrunk first has so many fewer pixels in every convolution.

    Batch norms behind a ReLU became depthwise 1x1 convolutions, one multiply-add a value, and the table has none of
    them; nor of the class activation map, where the file has one.
    """
    shrink = open_bundle("compact-int8").card["training"]["recipe"]["shrink"]
    graph = graph_of("compact-int8")
    cam = {port.tensor.index for port in graph.outputs if port.name == "cam"}
    extra = {t.index for o in graph.operators if cam & {out.index for out in o.outputs} for t in o.inputs if t}
    norms = [operator for operator in graph.operators if operator.name == "DEPTHWISE_CONV_2D"]
    assert [operator.inputs[1].shape[:3] for operator in norms if operator.inputs[1]] == [(1, 1, 1)] * len(norms)
    convolutions = [operator for operator in graph.operators if operator.name == "CONV_2D"]
    dense = _work(graph, lambda operator: operator in convolutions and operator.outputs[0].shape[1:3] == (1, 1))
    convolved = _work(
        graph,
        lambda operator: (
            operator in convolutions
            and operator.outputs[0].shape[1:3] != (1, 1)
            and not extra & {t.index for t in operator.outputs}
        ),
    )
    assert convolved * shrink**2 + dense == NETWORKS["compact"].multiply_adds
    values = sum(int(np.prod(operator.outputs[0].shape)) for operator in norms)
    assert _work(graph, lambda operator: operator.name == "DEPTHWISE_CONV_2D") == values > 0


@pytest.mark.parametrize("name", bundled_models())
def test_the_interpreter_takes_the_activations_that_were_estimated(name: str) -> None:
    estimate = graph_of(name).arena.bytes
    assert estimate <= _arena(flatbuffer_of(name)) <= PLANNED * estimate


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor"])
def test_so_it_does_for_models_of_other_people(name: str) -> None:
    content = coral(name)
    estimate = read_graph(content).arena.bytes
    assert estimate <= _arena(content) <= PLANNED * estimate


def _arena(content: bytes) -> int:
    """From the first to the last byte of the activations that the reference kernels' planner has laid out."""
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    start = np.frombuffer(content, np.uint8).ctypes.data
    spans = []
    for detail in interpreter.get_tensor_details():
        try:
            tensor = np.asarray(interpreter.tensor(detail["index"])())
        except ValueError:  # never laid out
            continue
        if tensor.base is not None and not start <= tensor.ctypes.data < start + len(content):
            spans.append((tensor.ctypes.data, tensor.ctypes.data + tensor.nbytes))
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


@pytest.mark.tf
def test_a_float_model_is_counted_by_hand(float_model: bytes) -> None:
    graph = read_graph(float_model)
    assert graph.multiply_adds == 8 * 8 * 5 * (3 * 3 * 3) + 5 * 4
    assert graph.float_operators == len(graph.operators)
    assert [port.name for port in (*graph.inputs, *graph.outputs)] == ["pixels", "scores"]
    assert all(port.tensor.quantization is None for port in graph.inputs)
    assert graph.weight_bytes >= 4 * (3 * 3 * 3 * 5 + 5 + 5 * 4)
    assert graph.arena.bytes == 4 * 8 * 8 * (3 + 5) + 64, "pixels, what was convolved, and one line of its means"
    assert graph.operators[graph.arena.operator].name == "MEAN"
    assert graph.operators[0].fused == "RELU"


def test_what_an_edge_tpu_operator_does_is_not_guessed() -> None:
    graph = read_graph(coral("mobilenet_v1_0.25_128_quant_edgetpu"))
    assert graph.kinds == {"edgetpu-custom-op": 1}
    assert graph.operators[0].custom
    assert graph.uncounted == ("edgetpu-custom-op",)
    assert multiply_adds(graph.operators[0]) is None
    assert graph.custom_bytes > 500_000
    assert "TFLITE_METADATA" in graph.metadata


@pytest.mark.parametrize("content", [b"", b"TFL3", b"not a model", bytes(64), b"\0\0\0\0TFL3" + bytes(64)], ids=repr)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelDamaged, match=r"usb-stick\.tflite"):
        read_graph(content, "usb-stick.tflite")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_model_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(flatbuffer_of("compact-int8"))
    start = data.draw(st.sampled_from((0, len(content) // 2, len(content) - 60_000)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[start + data.draw(st.integers(0, 50_000))] = data.draw(st.integers(0, 255))
    try:
        graph = read_graph(bytes(content))
    except ModelDamaged:
        return
    assert graph.arena.bytes >= 0
    assert graph.multiply_adds >= 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_flatbuffer_that_was_cut_is_refused(share: float) -> None:
    content = flatbuffer_of("compact-int8")
    with pytest.raises(ModelDamaged):
        read_graph(content[: int(share * len(content))])
