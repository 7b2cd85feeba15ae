"""A fake of Google's compiler, for tests: `-s -o FOLDER MODEL`, its files and its words, but nothing for a chip.

It does to a model what the real one does: all operators but the last become one `edgetpu-custom-op`, tensors are
numbered anew and outputs sorted anew, signatures and metadata are gone. The package in the custom operator has the real
layout and random bytes. What is printed follows what release 16.0 prints.
"""

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

from oct_converters.flatbuffer import operator_name, pack_model

VERSION = "16.0.384591198"
PARAMETERS = bytes(range(256)) * 8
LEFT = "More than one subgraph is not supported"


def main(arguments: list[str]) -> None:
    folder, source = Path(arguments[arguments.index("-o") + 1]), Path(arguments[-1])
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    names = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
    compiled = twin(model)
    (folder / f"{source.stem}_edgetpu.tflite").write_bytes(compiled)
    table = rows(names)
    log = f"Edge TPU Compiler version {VERSION}\nInput: {source}\nOutput: {source.stem}_edgetpu.tflite\n\n{table}"
    (folder / f"{source.stem}_edgetpu.log").write_text(log)
    print(summary(source, len(compiled), len(names)) + table)


def summary(source: Path, compiled: int, operators: int) -> str:
    return f"""Edge TPU Compiler version {VERSION}
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 542 ms.

Input model: {source}
Input size: {source.stat().st_size / 2**10:.2f}KiB
Output model: {source.stem}_edgetpu.tflite
Output size: {compiled / 2**10:.2f}KiB
On-chip memory used for caching model parameters: 2.00KiB
On-chip memory remaining for caching model parameters: 7.75MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: {operators}
Operation log: {source.stem}_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will \
instead run on the CPU, which is slower. If possible, consider updating your model to use only operations supported \
by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: {operators - 1}
Number of operations that will run on CPU: 1

"""


def rows(names: list[str]) -> str:
    mapped, left = Counter(names[:-1]), Counter(names[-1:])
    lines = [f"{'Operator':<31}{'Count':<11}Status", ""]
    for counts, status in ((mapped, "Mapped to Edge TPU"), (left, LEFT)):
        lines += [f"{name:<31}{count:<11}{status}" for name, count in counts.items()]
    return "\n".join([*lines, ""])


def twin(model: Any) -> bytes:
    graph = model.subgraphs[0]
    last = graph.operators[-1]
    handed_over = [i for i in graph.outputs if i not in last.outputs] + list(last.inputs)
    kept = sorted({*graph.inputs, *handed_over, *last.outputs}, reverse=True)

    def moved(tensors: Any) -> list[int]:
        return [kept.index(i) for i in tensors]

    custom = schema.OperatorT(inputs=moved(graph.inputs), outputs=moved(handed_over), customOptions=options())
    model.operatorCodes = [custom_code(), model.operatorCodes[last.opcodeIndex]]
    last.opcodeIndex, last.inputs, last.outputs = 1, moved(last.inputs), moved(last.outputs)
    graph.inputs, graph.outputs = moved(graph.inputs), sorted(moved(graph.outputs))
    graph.tensors, graph.operators = [graph.tensors[i] for i in kept], [custom, last]
    for tensor in graph.tensors:
        tensor.buffer = 0
    model.buffers, model.metadata, model.signatureDefs = model.buffers[:1], None, None
    model.description = "Exported from Subgraph."
    return pack_model(model, 2**16)


def custom_code() -> Any:
    custom = schema.BuiltinOperator.CUSTOM
    return schema.OperatorCodeT(deprecatedBuiltinCode=custom, builtinCode=custom, customCode="edgetpu-custom-op")


def options() -> np.ndarray:
    content = package(executable(1, PARAMETERS), executable(2, b""))
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("1", 0)
        builder.String("4", SimpleNamespace(encode=lambda encoding: content))  # a string that is no text
    return np.frombuffer(bytes(builder.Finish()), np.uint8)


def package(*executables: bytes) -> bytes:
    inner = flatbuffers.Builder()
    strings = [inner.CreateString(content) for content in executables]
    inner.StartVector(4, len(strings), 4)
    for string in reversed(strings):
        inner.PrependUOffsetTRelative(string)
    multiple = table(inner, 1, {0: inner.EndVector()})
    outer = flatbuffers.Builder()
    fields = {1: outer.CreateByteVector(multiple), 4: outer.CreateString(VERSION)}
    return table(outer, 8, fields, {0: (14, outer.PrependInt32Slot)}, b"DWN1")


def executable(kind: int, parameters: bytes) -> bytes:
    builder = flatbuffers.Builder()
    fields = {6: builder.CreateByteVector(parameters), 10: builder.CreateString("beagle")}
    return table(builder, 17, fields, {13: (kind, builder.PrependInt16Slot)})


def table(
    builder: Any, size: int, offsets: dict, scalars: dict | None = None, identifier: bytes | None = None
) -> bytes:
    builder.StartObject(size)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, (value, prepend) in (scalars or {}).items():
        prepend(slot, value, 0)
    builder.Finish(builder.EndObject(), file_identifier=identifier)
    return bytes(builder.Output())


if __name__ == "__main__":
    main(sys.argv[1:])
