"""The static check finds what the Edge TPU does not take in real models, says why, and what that costs the rest."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oct_converters.edgetpu.constraints import Check, Verdict, check
from oct_edge.errors import ModelDamaged
from oct_models import bundled_models

Build = Callable[..., Check]
CORAL = Path(__file__).parents[3] / "shared" / "data" / "weights" / "coral"


@pytest.fixture(scope="module")
def checked() -> Build:
    """The check of a small Keras network, converted for real: `checked(layers, shape=…, batch=…)`."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    from oct_edge.quiet import silenced

    def build(
        layers: Callable[[Any, Any], Any],
        shape: tuple[int, ...] = (8, 8, 4),
        *,
        batch: int | None = 1,
        integer: bool = True,
        edges: str = "uint8",
        per_tensor_dense: bool = True,
    ) -> Check:
        pixels = keras.Input(shape, batch_size=batch)
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, layers(keras.layers, pixels)))
        if integer:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _pictures(shape)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = getattr(tf, edges)
            converter._experimental_disable_per_channel_quantization_for_dense_layers = per_tensor_dense
        with silenced(1, 2), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return check(converter.convert())

    return build


def _pictures(shape: tuple[int, ...]) -> Iterator[list[np.ndarray]]:
    generator = np.random.default_rng(0)
    return ([generator.random((1, *shape), np.float32)] for _ in range(4))


def reasons(result: Check) -> dict[str, str]:
    return {verdict.operator: verdict.reason for verdict in result.offenders}


@pytest.mark.tf
def test_a_small_classifier_maps_whole(checked: Build) -> None:
    def layers(keras, x):
        x = keras.Conv2D(4, 3, padding="same", activation="relu")(keras.Rescaling(1 / 127.5, -1)(x))
        x = keras.DepthwiseConv2D(3)(keras.MaxPooling2D()(x))
        return keras.Dense(4, activation="softmax")(keras.GlobalAveragePooling2D()(x))

    result = checked(layers, (16, 16, 3))
    assert reasons(result) == {}
    assert result.whole
    assert result.mapped == len(result.verdicts) > 6
    assert result.offenders == ()
    assert result.parameter_bytes > 4 * 3 * 9
    assert {v.operator for v in result.verdicts if "without dimensions" in v.doubt} == {"MUL", "ADD"}


@pytest.mark.tf
def test_dense_weights_with_a_scale_a_channel_fall_back(checked: Build) -> None:
    def layers(keras, x):
        return keras.Dense(4)(keras.GlobalAveragePooling2D()(keras.Conv2D(4, 3)(x)))

    assert "4 scales, one a channel" in reasons(checked(layers, per_tensor_dense=False))["FULLY_CONNECTED"]
    assert checked(layers, per_tensor_dense=True).whole


OFFENDERS = {
    "a float model": (lambda k, x: k.Conv2D(4, 3)(x), {"integer": False}, "CONV_2D", "is FLOAT32, not 8-bit"),
    "a batch of any size": (lambda k, x: k.Conv2D(4, 3)(x), {"batch": None}, "CONV_2D", "known only at run time"),
    "five dimensions": (lambda k, x: k.Reshape((4, 2, 8, 4))(x), {}, "RESHAPE", "only the three innermost"),
    "a softmax of many rows": (lambda k, x: k.Softmax()(x), {}, "SOFTMAX", "not one-dimensional"),
    "a softmax of 20,000": (
        lambda k, x: k.Softmax()(k.Flatten()(x)),
        {"shape": (100, 50, 4)},
        "SOFTMAX",
        "has 20000 elements, 16000 is the most",
    ),
    "an operator it has not": (lambda k, x: k.LeakyReLU()(x), {}, "LEAKY_RELU", "no such operator"),
    "another operator it has not": (lambda k, x: k.Activation("exponential")(x), {}, "EXP", "no such operator"),
    "a mean over a depth of 6": (lambda k, x: _mean(x), {"shape": (8, 8, 6)}, "MEAN", "no multiple of 4"),
    "a slice with strides": (lambda k, x: x[:, ::2], {}, "STRIDED_SLICE", "its strides are [1, 2, 1, 1], not all 1"),
    "a dense layer on rows": (lambda k, x: k.Dense(3)(x), {}, "FULLY_CONNECTED", "not one-dimensional"),
    "a batch of four": (lambda k, x: k.ReLU()(x), {"batch": 4}, "RELU", "only the three innermost dimensions"),
}


def _mean(x: Any) -> Any:
    from keras import ops

    return ops.mean(x, axis=-1)


@pytest.mark.tf
@pytest.mark.parametrize(("layers", "options", "operator", "reason"), OFFENDERS.values(), ids=OFFENDERS)
def test_an_offender_is_named_with_its_reason(
    checked: Build, layers: Callable, options: dict[str, Any], operator: str, reason: str
) -> None:
    result = checked(layers, **options)
    assert reason in reasons(result)[operator]
    assert not result.whole


@pytest.mark.tf
def test_what_comes_after_an_offender_is_stranded_and_says_by_whom(checked: Build) -> None:
    result = checked(lambda k, x: k.Conv2D(4, 3)(k.LeakyReLU()(k.Conv2D(4, 3)(x))))
    assert [(v.operator, v.mapped) for v in result.verdicts] == [
        ("QUANTIZE", True),
        ("CONV_2D", True),
        ("LEAKY_RELU", False),
        ("CONV_2D", False),
        ("QUANTIZE", False),
    ]
    after = result.verdicts[3]
    assert after.stranded
    assert after.reason == "it comes after LEAKY_RELU (operator 2), which runs on the CPU"
    assert result.offenders == (result.verdicts[2],)


@pytest.mark.tf
def test_float_edges_are_left_to_the_cpu_and_end_nothing(checked: Build) -> None:
    result = checked(lambda k, x: k.Conv2D(4, 3)(x), edges="float32")
    assert [(v.operator, v.mapped) for v in result.verdicts] == [
        ("QUANTIZE", False),
        ("CONV_2D", True),
        ("DEQUANTIZE", False),
    ]


@pytest.mark.parametrize("name", bundled_models())
def test_the_bundled_models_map_whole(name: str) -> None:
    result = check(bundled_models()[name].read_bytes(), name)
    assert result.whole
    assert 0 < result.parameter_bytes < 8 * 10**6


@pytest.mark.skipif(not CORAL.is_dir(), reason="needs ../shared/data/weights/coral")
def test_models_that_were_compiled_whole_pass_the_check_whole() -> None:
    """Their compiled twins hold one Edge TPU operator and nothing else, so the real compiler took all of them."""
    originals = [path for path in CORAL.glob("*.tflite") if "_edgetpu" not in path.name]
    assert originals
    assert all(check(path.read_bytes(), path.name).whole for path in originals)


def test_a_check_is_ready_for_json() -> None:
    name = next(iter(bundled_models()))
    content = json.loads(json.dumps(check(bundled_models()[name].read_bytes()).to_dict()))
    assert content["operators"] == len(content["verdicts"])
    assert content["source"].startswith("https://coral.ai/")
    assert set(content["verdicts"][0]) == set(Verdict.__dataclass_fields__)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x1c\0\0\0TFL3" + b"\xff" * 64], ids=len)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelDamaged, match=r"odd\.tflite"):
        check(content, "odd.tflite")
