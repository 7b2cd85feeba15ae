"""The table of layers points at the operator where precision is lost."""

from dataclasses import replace

import numpy as np
import pytest

from oct_converters.calibration import CalibrationSet
from oct_trainer.pictures import Pictures

keras = pytest.importorskip("keras")
from oct_converters.parity.layers import layer_errors  # noqa: E402
from oct_converters.quantize import to_float32, to_int8  # noqa: E402

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def bright() -> Pictures:
    grey = np.random.default_rng(0).integers(100, 256, (16, 224, 224), np.uint8)
    labels = np.arange(16) % 4
    return Pictures((), grey, labels, labels.astype(str), tuple(map(str, range(16))))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((224, 224, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 255)(keras.layers.AveragePooling2D(16, name="shrink")(inputs))
    x = keras.layers.Conv2D(8, 3, activation="relu", name="first")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = keras.layers.Dense(4, name="logits")(x)
    return keras.Model(inputs, keras.layers.Softmax(name="scores")(logits))


def errors(network: keras.Model, calibration: Pictures, asked: Pictures) -> dict[str, float]:
    int8 = to_int8(network, CalibrationSet(calibration, tuple(range(16))))
    return {layer.name.removesuffix("_1"): layer.error for layer in layer_errors(to_float32(network), int8, asked.grey)}


def test_every_operator_has_its_error_in_order_and_small_where_calibration_fits(
    network: keras.Model, bright: Pictures
) -> None:
    found = errors(network, bright, bright)
    assert list(found)[:3] == ["shrink", "first", "second"]  # rescaling is folded into the first
    assert {"first", "second", "embedding", "logits", "scores", "cam"} <= set(found)
    assert max(found["first"], found["second"]) < 0.05


def test_ranges_that_are_too_narrow_show_where_they_cut(network: keras.Model, bright: Pictures) -> None:
    dark = replace(bright, grey=(bright.grey // 4).astype(np.uint8))
    found = errors(network, dark, bright)
    assert found["first"] > 0.5


def test_graphs_of_other_operators_are_not_compared(network: keras.Model, bright: Pictures) -> None:
    int8 = to_int8(network, CalibrationSet(bright, tuple(range(16))))
    shorter = keras.Model(network.input, network.output)
    other = keras.models.clone_model(
        shorter,
        clone_function=lambda layer: (
            keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="second")
            if layer.name == "second"
            else type(layer).from_config(layer.get_config())
        ),
    )
    assert layer_errors(to_float32(other), int8, bright.grey[:1]) == ()
