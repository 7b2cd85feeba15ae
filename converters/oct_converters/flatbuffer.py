"""The TFLite file as a structure: checks and small surgery that the converter itself does not offer. No TensorFlow."""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

_FLOATS = (schema.TensorType.FLOAT16, schema.TensorType.FLOAT32, schema.TensorType.FLOAT64, schema.TensorType.BFLOAT16)
_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def float_operators(tflite: bytes) -> list[str]:
    """Names of the operators that read or write a float tensor; empty for a full-integer model."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    return [
        _OPERATORS[_code(model, operator)]
        for graph in model.subgraphs
        for operator in graph.operators
        if any(graph.tensors[i].type in _FLOATS for i in (*operator.inputs, *operator.outputs) if i >= 0)
    ]


def arrange_outputs(tflite: bytes, order: tuple[str, ...], int8: tuple[str, ...] = ()) -> bytes:
    """The model with its outputs in this order, and those named in `int8` without their last requantization.

    The converter sorts outputs as it likes and gives all of them one type. Readers that know no signatures take
    output 0 for the scores, as uint8; logits keep the int8 of the layer that makes them.
    """
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    graph = model.subgraphs[0]
    entries = {entry.name.decode(): entry for entry in model.signatureDefs[0].outputs}
    for name in int8:
        entries[name].tensorIndex = _without_quantize(model, entries[name].tensorIndex)
    graph.outputs = [entries[name].tensorIndex for name in order]
    builder = _AlignedBuilder(len(tflite))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _AlignedBuilder(flatbuffers.Builder):
    """Keeps constants at multiples of 16 bytes, as the schema's `force_align` asks and the Python packer does not."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        return int(super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment))


def _without_quantize(model: Any, tensor: int) -> int:
    """Drop the QUANTIZE operator that makes `tensor`; returns the int8 tensor it read."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if tensor in operator.outputs and _code(model, operator) == schema.BuiltinOperator.QUANTIZE:
            graph.operators.remove(operator)
            return int(operator.inputs[0])
    return tensor


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)
