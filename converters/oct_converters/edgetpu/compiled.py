"""A model that the Edge TPU compiler made: what is in it, and how it gets back what the compiler drops.

The compiler writes a new flatbuffer: one `edgetpu-custom-op` in place of the operators it mapped, the others as they
were, without signatures, and nothing of the zip tail. Both are taken from the model it was made of, so that the device
reads a compiled model like any other: outputs by name, metadata, card, golden inputs.
"""

import zipfile
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

from oct_converters.edgetpu.package import Package, read_package
from oct_converters.flatbuffer import pack_model
from oct_converters.graph import listed, read_graph, unpack
from oct_edge.bundle import CARD, EDGETPU, LABELS_FILE, pack, read_bundle
from oct_edge.errors import CompilationFailed

CUSTOM_OPERATOR = "edgetpu-custom-op"
SUFFIX = "-edgetpu"
TOLERANCE = {"class": True, "max_dp": 0.05}  # its arithmetic is not that of the kernels
NOTE = "The figures of this card were measured with the CPU kernels before compilation, not on an Edge TPU."


@dataclass(frozen=True)
class CompiledModel:
    """`packages`: one for each Edge TPU operator. `cpu`: the operators left, by name, in order of execution."""

    bytes: int
    packages: tuple[Package, ...]
    cpu: tuple[str, ...]

    @property
    def min_runtime_version(self) -> int:
        """The oldest Edge TPU runtime that runs it; 0 for a model that was not compiled."""
        return max((package.min_runtime_version for package in self.packages), default=0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        packages = [
            asdict(package) | {"cached_bytes": package.cached_bytes, "streamed_bytes": package.streamed_bytes}
            for package in self.packages
        ]
        return {
            "bytes": self.bytes,
            "min_runtime_version": self.min_runtime_version,
            "packages": packages,
            "cpu": list(self.cpu),
        }


def read_compiled(tflite: bytes, name: str = "the model") -> CompiledModel:
    """What a .tflite holds for the Edge TPU; no packages where it was not compiled.

    Raises:
        ModelDamaged: it is no TFLite model, or an Edge TPU operator's package cannot be read.
    """
    operators = read_graph(tflite, name).operators
    packages = tuple(read_package(o.custom_options, name) for o in operators if o.name == CUSTOM_OPERATOR)
    return CompiledModel(len(tflite), packages, tuple(o.name for o in operators if o.name != CUSTOM_OPERATOR))


def reattach(source: bytes, tflite: bytes, described: Mapping[str, Any], name: str) -> bytes:
    """A bundle of the compiled flatbuffer `tflite` with signature, metadata, card and tail of the bundle `source`.

    `described` goes into the card as its `edgetpu` entry. Golden answers are those of the reference kernels, as
    before; they are held to class and probability.

    Raises:
        CompilationFailed: the compiled model has other inputs or outputs than its source.
        ModelDamaged: one of the two is no model.
    """
    card = read_bundle(source, name).card
    original = source[: card["tflite"]["bytes"]]
    with zipfile.ZipFile(BytesIO(source)) as tail:
        files = {entry: tail.read(entry) for entry in tail.namelist() if entry not in (CARD, LABELS_FILE)}
    added = {
        "name": card["name"] + SUFFIX,
        "delegate": EDGETPU,
        "edgetpu": dict(described) | {"source_sha256": card["tflite"]["sha256"], "note": NOTE},
        "golden": dict(card["golden"]) | {"measured": {}, "tolerance": {EDGETPU: TOLERANCE}},
    }
    return pack(restore_names(tflite, original, name), dict(card) | added, files)


def restore_names(tflite: bytes, original: bytes, name: str) -> bytes:
    """The compiled flatbuffer with the signatures, the order of outputs and the metadata of `original`."""
    compiled, source = unpack(tflite, name), unpack(original, name)
    graph, before = compiled.subgraphs[0], source.subgraphs[0]
    moved = {
        old: _same_tensor(before.tensors[old], graph, candidates, name)
        for olds, candidates in ((before.inputs, graph.inputs), (before.outputs, graph.outputs))
        for old in olds
    }
    graph.inputs, graph.outputs = ([moved[old] for old in olds] for olds in (before.inputs, before.outputs))
    compiled.signatureDefs = [_signature(signature, moved) for signature in listed(source.signatureDefs)]
    _copy_metadata(source, compiled)
    return pack_model(compiled, len(tflite))


def _same_tensor(tensor: Any, graph: Any, candidates: Any, name: str) -> int:
    for index in candidates:
        if _identity(graph.tensors[index]) == _identity(tensor):
            return int(index)
    raise CompilationFailed(
        f"{name}: the compiled model has no input or output `{tensor.name.decode()}` of the same shape, type and scale."
    )


def _identity(tensor: Any) -> tuple[Any, ...]:
    quantization = tensor.quantization
    scales = [*listed(quantization.scale), *listed(quantization.zeroPoint)] if quantization else []
    return tensor.name, [*tensor.shape], tensor.type, scales


def _signature(signature: Any, moved: Mapping[int, int]) -> Any:
    restored = copy(signature)
    restored.inputs, restored.outputs = (
        [_moved(entry, moved) for entry in entries] for entries in (signature.inputs, signature.outputs)
    )
    return restored


def _moved(entry: Any, moved: Mapping[int, int]) -> Any:
    restored = copy(entry)
    restored.tensorIndex = moved[entry.tensorIndex]
    return restored


def _copy_metadata(source: Any, compiled: Any) -> None:
    kept = {entry.name: entry for entry in listed(compiled.metadata)}
    for entry in listed(source.metadata):
        if entry.name not in kept:
            kept[entry.name] = copy(entry)
            kept[entry.name].buffer = len(compiled.buffers)
            compiled.buffers.append(None)
        compiled.buffers[kept[entry.name].buffer] = source.buffers[entry.buffer]
    compiled.metadata = list(kept.values())
