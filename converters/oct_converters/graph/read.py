"""From the bytes of a .tflite file to its graph, or a refusal: nothing half-read comes out.

The schema's Python module follows every offset in a file, and Python says where one leads nowhere. The runtime, which
verifies a file too, builds an interpreter in the same breath, and crashes on some that pass.
"""

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from oct_converters.graph.memory import Arena, estimate_arena
from oct_converters.graph.operator import Operator, operator_of
from oct_converters.graph.tensor import Tensor, listed, tensor_of
from oct_converters.graph.work import multiply_adds
from oct_edge.errors import ModelDamaged

_DAMAGE = (struct.error, LookupError, TypeError, ValueError, AttributeError, MemoryError, OverflowError)


@dataclass(frozen=True, eq=False)
class Port:
    """An input or output of the model: the name in its signature, or else that of the tensor."""

    name: str
    tensor: Tensor


@dataclass(frozen=True, eq=False)
class Graph:
    """The main subgraph, in the order in which its operators run, and what belongs to the whole file.

    `signatures` are their keys; `metadata` maps the names of entries in the flatbuffer to their sizes in bytes (TFLite
    Metadata is called `TFLITE_METADATA`). `weight_bytes` are those of all constants, once each; weights inside custom
    operators are not among them. `work` has the multiply-adds of every operator, None where they are not known.
    Operators that call the other `subgraphs` are themselves in the main one.
    """

    description: str
    operators: tuple[Operator, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    signatures: tuple[str, ...]
    metadata: Mapping[str, int]
    weight_bytes: int
    work: tuple[int | None, ...]
    arena: Arena
    subgraphs: int

    @property
    def multiply_adds(self) -> int:
        """Those that are known; `uncounted` has the names of operators with more."""
        return sum(work or 0 for work in self.work)

    @property
    def uncounted(self) -> tuple[str, ...]:
        unknown = (operator.name for operator, work in zip(self.operators, self.work, strict=True) if work is None)
        return tuple(dict.fromkeys(unknown))

    @property
    def kinds(self) -> dict[str, int]:
        """How many operators there are of each kind, the most frequent first."""
        return dict(Counter(operator.name for operator in self.operators).most_common())

    @property
    def float_operators(self) -> int:
        """How many read or write floating-point numbers."""
        return sum(any(tensor.real for tensor in operator.tensors) for operator in self.operators)

    @property
    def custom_bytes(self) -> int:
        """What custom operators keep for themselves."""
        return sum(len(operator.custom_options) for operator in self.operators)


def read_graph(tflite: bytes, name: str = "the model") -> Graph:
    """The graph of a flatbuffer, whatever stands behind it in the file; `name` is used in messages.

    Raises:
        ModelDamaged: it is no TFLite model, cut, or its structure leads nowhere.
    """
    model = unpack(tflite, name)
    try:
        return _graph(model)
    except _DAMAGE as error:
        raise _damaged(name, error) from error


def unpack(tflite: bytes, name: str = "the model") -> Any:
    """The flatbuffer as the schema's objects, for those who write it again. Raises as `read_graph`."""
    if tflite[4:8] != b"TFL3":
        raise ModelDamaged(f"{name}: not a TFLite model.", hint="Name a .tflite file or a bundled model.")
    try:
        model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    except _DAMAGE as error:
        raise _damaged(name, error) from error
    if not model.subgraphs:
        raise ModelDamaged(f"{name}: the model has no graph.")
    return model


def _damaged(name: str, error: Exception) -> ModelDamaged:
    return ModelDamaged(f"{name}: the model cannot be read ({error}).")


def _graph(model: Any) -> Graph:
    main = model.subgraphs[0]
    tensors = [tensor_of(model, tensor, i) for i, tensor in enumerate(listed(main.tensors))]
    signatures = listed(model.signatureDefs)
    first = next((signature for signature in signatures if not signature.subgraphIndex), None)
    operators = tuple(operator_of(model, o, i, tensors) for i, o in enumerate(listed(main.operators)))
    inputs = _ports(main.inputs, tensors, first.inputs if first else None)
    outputs = _ports(main.outputs, tensors, first.outputs if first else None)
    return Graph(
        description=_text(model.description),
        operators=operators,
        inputs=inputs,
        outputs=outputs,
        signatures=tuple(_text(signature.signatureKey) for signature in signatures),
        metadata={_text(entry.name): len(listed(model.buffers[entry.buffer].data)) for entry in listed(model.metadata)},
        weight_bytes=_constants(model),
        work=tuple(map(multiply_adds, operators)),
        arena=estimate_arena(operators, [port.tensor for port in inputs], [port.tensor for port in outputs]),
        subgraphs=len(model.subgraphs),
    )


def _ports(indices: Any, tensors: list[Tensor], entries: Any) -> tuple[Port, ...]:
    names = {int(entry.tensorIndex): _text(entry.name) for entry in listed(entries)}
    return tuple(Port(names.get(int(i)) or tensors[i].name, tensors[i]) for i in listed(indices))


def _constants(model: Any) -> int:
    used = {tensor.buffer for graph in model.subgraphs for tensor in listed(graph.tensors)}
    return sum(len(listed(model.buffers[i].data)) for i in used)


def _text(raw: bytes | None) -> str:
    return raw.decode(errors="replace") if raw else ""
