"""Each published limit by itself, on operators that no converter makes on request."""

from typing import Any

import numpy as np
import pytest

from oct_converters.edgetpu.operators import SUPPORTED, doubt, obstacle
from oct_converters.graph import Operator, Quantization, Tensor


def activation(*shape: int, zero_point: int = 0, **changes: Any) -> Tensor:
    return Tensor(
        **{
            "index": 0,
            "name": "x",
            "shape": shape,
            "type": "INT8",
            "dynamic": False,
            "variable": False,
            "quantization": Quantization((0.5,), (zero_point,), 0),
            "constant": None,
        }
        | changes
    )


def parameter(*values: int, type: str = "INT32", shape: tuple[int, ...] | None = None, **changes: Any) -> Tensor:  # noqa: A002
    return activation(
        *((len(values),) if shape is None else shape),
        type=type,
        constant=np.array(values, np.int32 if type == "INT32" else np.int8),
        **changes,
    )


def operator(name: str, *inputs: Tensor | None, output: Tensor | None = None, **options: Any) -> Operator:
    return Operator(0, name, False, inputs, (output or activation(1, 8, 8, 4),), "", options, b"")


X = activation(1, 8, 8, 4)
W = parameter(1, 2, type="INT8", name="w")
FLAT = activation(1, 4)
ONES, STRIDES = parameter(1, 1, 1, 1), parameter(1, 2, 1, 1)

REFUSED = {
    "max pool with ReLU": (operator("MAX_POOL_2D", X, fusedActivationFunction=1), "fused activation"),
    "average pool with ReLU6": (operator("AVERAGE_POOL_2D", X, fusedActivationFunction=3), "fused activation"),
    "concatenation with ReLU": (operator("CONCATENATION", X, X, fusedActivationFunction=1), "fused activation"),
    "concatenation with a constant of three": (operator("CONCATENATION", X, X, W), "there may be only two"),
    "concatenation with a constant": (operator("CONCATENATION", X, W), "not all zeros"),
    "unequal dilation": (operator("CONV_2D", X, W, W, dilationWFactor=1, dilationHFactor=2), "1 in x and 2 in y"),
    "computed filter": (operator("CONV_2D", X, activation(1, 3, 3, 4, name="f"), None), "`f` is a parameter"),
    "computed bias": (operator("DEPTHWISE_CONV_2D", X, W, activation(4, name="b")), "`b` is a parameter"),
    "shuffled weights": (operator("FULLY_CONNECTED", FLAT, W, None, weightsFormat=1, output=FLAT), "default format"),
    "mean over the batch": (operator("MEAN", X, parameter(0)), "batch"),
    "mean over the batch from behind": (operator("MEAN", X, parameter(-4)), "batch"),
    "sum over the batch": (operator("SUM", X, parameter(0, 1)), "batch"),
    "maximum over the batch": (operator("REDUCE_MAX", X, parameter(0)), "batch"),
    "pack": (operator("PACK", X, X, axis=0), "packs the batch"),
    "pad": (operator("PAD", X, parameter(0, 1, 0, 0, 1, 1, 0, 0)), "pads the batch"),
    "split": (operator("SPLIT", parameter(0, shape=()), X), "splits the batch"),
    "slope a row": (operator("PRELU", X, parameter(1, 2, 3, 4, type="INT8", shape=(2, 2))), "not one-dimensional"),
    "strides": (operator("STRIDED_SLICE", X, ONES, ONES, STRIDES), "not all 1"),
    "new axis": (operator("STRIDED_SLICE", X, ONES, ONES, ONES, newAxisMask=1), "newAxisMask"),
    "16-bit activation": (operator("ADD", activation(1, 4, type="INT16"), X), "INT16, not 8-bit"),
    "no scale": (operator("ADD", activation(1, 4, quantization=None), X), "no quantization scale"),
    "no input": (operator("FULLY_CONNECTED"), "no input or no output"),
    "a custom operator": (operator("TFLite_Detection_PostProcess", X), "no such operator"),
}

TAKEN = {
    "pool": operator("MAX_POOL_2D", X, fusedActivationFunction=0),
    "convolution with ReLU6": operator("CONV_2D", X, W, None, fusedActivationFunction=3),
    "zero padding by concatenation": operator("CONCATENATION", X, parameter(5, 5, type="INT8", zero_point=5)),
    "mean over the picture": operator("MEAN", X, parameter(1, 2), output=FLAT),
    "mean over a depth of four": operator("MEAN", X, parameter(-1)),
    "pad of the picture": operator("PAD", X, parameter(0, 0, 1, 1, 1, 1, 0, 0)),
    "pack along the depth": operator("PACK", X, X, axis=3),
    "split along the depth": operator("SPLIT", parameter(3, shape=()), X),
    "slice": operator("STRIDED_SLICE", X, ONES, ONES, ONES),
    "slope a channel": operator("PRELU", X, parameter(1, 2, 3, 4, type="INT8", shape=(1, 1, 4))),
}


@pytest.mark.parametrize(("refused", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_limit_that_is_not_met_is_the_reason(refused: Operator, reason: str) -> None:
    assert reason in obstacle(refused)


@pytest.mark.parametrize("taken", TAKEN.values(), ids=TAKEN)
def test_what_meets_the_limits_is_taken(taken: Operator) -> None:
    assert obstacle(taken) == ""


def test_what_the_published_text_leaves_open_is_a_doubt_and_no_refusal() -> None:
    for name in ("RESIZE_BILINEAR", "RESHAPE"):
        assert obstacle(operator(name, X)) == ""
        assert "left on the CPU" in doubt(operator(name, X))
    assert "without dimensions" in doubt(operator("MUL", X, parameter(3, type="INT8", shape=())))
    assert doubt(operator("MUL", X, X)) == doubt(operator("ARG_MAX", X)) == ""


def test_the_table_uses_the_schemas_names() -> None:
    from ai_edge_litert import schema_py_generated as schema

    assert set(SUPPORTED) <= set(vars(schema.BuiltinOperator))
