"""How much an operator computes, in multiply-adds of convolutions and dense layers for one scan.

That is how `oct-train networks` counts too. Additions, poolings and activation functions are left out: on every
processor of interest they are bound by memory, and no number of theirs would tell how long they take.
"""

from collections.abc import Callable
from math import prod

from oct_converters.graph.operator import Operator

_COUNTED: dict[str, Callable[[Operator, tuple[int, ...]], int]] = {
    "CONV_2D": lambda operator, weights: _size(operator) * prod(weights[1:]),
    "DEPTHWISE_CONV_2D": lambda operator, weights: _size(operator) * prod(weights[1:3]),
    "FULLY_CONNECTED": lambda operator, weights: _size(operator) * weights[-1],
    "TRANSPOSE_CONV": lambda operator, weights: _spread(operator) * prod(weights[:3]),
}
_UNTOLD = {
    *("BATCH_MATMUL", "CONV_3D", "CONV_3D_TRANSPOSE", "RNN", "LSTM", "SVDF", "BIDIRECTIONAL_SEQUENCE_LSTM"),
    *("BIDIRECTIONAL_SEQUENCE_RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    *("IF", "WHILE", "CALL", "CALL_ONCE", "DELEGATE", "STABLEHLO_COMPOSITE"),
}


def multiply_adds(operator: Operator) -> int | None:
    """None where it does such work and how much is not known: in custom operators, loops, recurrent layers."""
    if operator.custom or operator.name in _UNTOLD:
        return None
    if operator.name not in _COUNTED:
        return 0
    weights = operator.inputs[1]
    return None if weights is None else _COUNTED[operator.name](operator, weights.shape)


def _size(operator: Operator) -> int:
    return prod(operator.outputs[0].shape)


def _spread(operator: Operator) -> int:
    """The elements that a transposed convolution spreads over its output; its input comes last."""
    source = operator.inputs[2]
    return prod(source.shape) if source is not None else 0
