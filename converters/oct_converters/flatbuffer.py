"""The TFLite file as a structure: checks and small surgery that the converter itself does not offer. No TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_FLOATS = (schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64, schema.TensorType.BFLOAT16)
_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def float_operators(tflite: bytes) -> list[str]:
    """Names of the operators that read or write a float tensor; empty for a full-integer model."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    return [
        operator_name(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if any(graph.tensors[i].type in _FLOATS for i in (*operator.inputs, *operator.outputs) if i >= 0)
    ]


def operator_name(model: Any, operator: Any) -> str:
    """The name of a builtin operator, or the code of a custom one."""
    code = model.operatorCodes[operator.opcodeIndex]
    builtin = _code(model, operator)
    return str(code.customCode.decode() if builtin == schema.BuiltinOperator.CUSTOM else _OPERATORS[builtin])


@dataclass(frozen=True)
class OperatorOutput:
    """An operator's first output: its tensor's index, shape, and quantization (scale 0: floats).

    `layer` is the Keras layer, or the name of the model's output that it is.
    """

    operator: str
    layer: str
    tensor: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale) if self.scale else stored


def operator_outputs(tflite: bytes) -> Iterator[OperatorOutput]:
    """What each operator of the first subgraph makes, in the order in which they run."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    graph = model.subgraphs[0]
    outputs = {entry.tensorIndex: entry.name.decode() for entry in model.signatureDefs[0].outputs}
    for operator in graph.operators:
        index = int(operator.outputs[0])
        tensor = graph.tensors[index]
        quantization = tensor.quantization
        quantized = quantization is not None and quantization.scale is not None
        yield OperatorOutput(
            operator_name(model, operator),
            outputs.get(index) or _layer(tensor.name.decode()),
            index,
            tuple(int(n) for n in tensor.shape),
            float(quantization.scale[0]) if quantized else 0.0,
            int(quantization.zeroPoint[0]) if quantized else 0,
        )


def _layer(tensor: str) -> str:
    """The Keras layer in the converter's name of a tensor: `functional_1/functional/conv2d_1/Relu;…`."""
    parts = tensor.split(";")[0].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def arrange_outputs(tflite: bytes, order: tuple[str, ...]) -> bytes:
    """The model with its outputs in this order.

    The converter sorts outputs as it likes, and readers that know no signatures take output 0 for the scores.
    """
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    entries = {entry.name.decode(): entry for entry in model.signatureDefs[0].outputs}
    model.subgraphs[0].outputs = [entries[name].tensorIndex for name in order]
    return pack_model(model, len(tflite))


def pack_model(model: Any, size: int) -> bytes:
    """The bytes of a `schema.ModelT`; `size` is about how many they will be."""
    builder = _AlignedBuilder(size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _AlignedBuilder(flatbuffers.Builder):
    """Keeps constants at multiples of 16 bytes, as the schema's `force_align` asks and the Python packer does not."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        return int(super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment))


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)
