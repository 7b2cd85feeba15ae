"""One operator of a model: what it computes, from which tensors, into which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from oct_converters.flatbuffer import operator_name
from oct_converters.graph.tensor import Tensor, listed

_ACTIVATIONS = {
    value: "" if name == "NONE" else name
    for name, value in vars(schema.ActivationFunctionType).items()
    if not name.startswith("_")
}


@dataclass(frozen=True, eq=False)
class Operator:
    """`name` is that of the builtin operator, or the code of a `custom` one. An optional input left out is None.

    `fused` is the activation function that it applies to what it computes, empty for none. `options` are the schema's,
    by its names; what a custom operator keeps for itself is in `custom_options`: the whole compiled program, weights
    included, for the Edge TPU's.
    """

    index: int
    name: str
    custom: bool
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    fused: str
    options: Mapping[str, Any]
    custom_options: bytes

    @property
    def tensors(self) -> Iterator[Tensor]:
        """All that are there."""
        yield from (tensor for tensor in (*self.inputs, *self.outputs) if tensor is not None)

    @property
    def activations(self) -> Iterator[Tensor]:
        """Those that are computed and not stored."""
        yield from (tensor for tensor in self.tensors if tensor.constant is None)

    def input(self, index: int) -> Tensor | None:
        """The input at that place; None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> np.ndarray:
        """The values of an input that is stored in the file; empty where it is computed or left out."""
        tensor = self.input(index)
        return np.array([], np.int32) if tensor is None or tensor.constant is None else tensor.constant

    @property
    def weights(self) -> Tensor | None:
        """The filter or matrix of a convolution or dense layer."""
        tensor = self.input(1)
        return tensor if tensor is not None and tensor.constant is not None and len(tensor.shape) > 1 else None


def operator_of(model: Any, operator: Any, index: int, tensors: list[Tensor]) -> Operator:
    """From the schema's objects; `tensors` are those of its subgraph."""
    code = model.operatorCodes[operator.opcodeIndex]
    options = vars(operator.builtinOptions) if operator.builtinOptions else {}
    return Operator(
        index,
        operator_name(model, operator),
        bool(code.customCode),
        tuple(tensors[i] if i >= 0 else None for i in listed(operator.inputs)),
        tuple(tensors[i] for i in listed(operator.outputs)),
        _ACTIVATIONS[options.get("fusedActivationFunction", 0)],
        options,
        bytes(listed(operator.customOptions)),
    )
