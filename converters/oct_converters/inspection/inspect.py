"""One model file, read and verified, and everything that is in it."""

import hashlib
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from oct_converters.graph import Graph, read_graph
from oct_converters.inspection.document import Facts, Section
from oct_converters.inspection.operators import graph_sections
from oct_converters.inspection.sections import card_sections
from oct_edge.bundle import CARD, read_bundle, read_model
from oct_edge.errors import ModelDamaged
from oct_edge.labels import DISCLAIMER

SCHEMA = "oct-edge/inspection@1"
_ENTRY = b"PK\x03\x04\x14\x00"  # what begins an entry of the tail
_CARD_ENTRY = re.compile(re.escape(_ENTRY) + b".{24}" + re.escape(CARD.encode()), re.DOTALL)
_DAMAGE = (zipfile.BadZipFile, ValueError, LookupError, OSError, NotImplementedError)


@dataclass(frozen=True, eq=False)
class Inspection:
    """`name` is what was asked for; `sha256` is that of all `size` bytes; `contents` maps the files in the tail to
    their sizes. `card` is None for a model that was not made here.
    """

    name: str
    size: int
    sha256: str
    contents: Mapping[str, int]
    card: Mapping[str, Any] | None
    graph: Graph

    def sections(self) -> Iterator[Section]:
        """For people."""
        yield Section("File", (Facts(tuple(self._file())),))
        yield from card_sections(self.card)
        yield from graph_sections(self.graph)

    def to_dict(self) -> dict[str, Any]:
        """For machines, JSON-ready."""
        content = {
            "schema": SCHEMA,
            "file": {"name": self.name, "bytes": self.size, "sha256": self.sha256, "contents": self.contents},
            "card": self.card,
            "model": _model(self.graph),
            "disclaimer": DISCLAIMER,
        }
        return {key: _finite(value) for key, value in content.items()}

    def _file(self) -> Iterator[tuple[str, str]]:
        yield "name", self.name
        yield "size", f"{self.size:,} bytes"
        yield "SHA-256", self.sha256
        yield "description", self.graph.description
        yield "behind the model", ", ".join(self.contents) or "nothing"
        yield "metadata", ", ".join(self.graph.metadata) or "none"
        yield "signatures", ", ".join(self.graph.signatures) or "none"


def inspect_model(name_or_path: str) -> Inspection:
    """The bundled model of that name, or the model in that file, with a card or without.

    Raises:
        ModelNotFound: neither a name nor a file.
        ModelDamaged: no model, cut, or edited since its card was written.
        ModelUnfit: a card for other classes or another preprocessing than this version has.
    """
    content = read_model(name_or_path)
    contents = _contents(content, name_or_path)
    card = read_bundle(content, name_or_path).card if CARD in contents else None
    graph = read_graph(content[: card["tflite"]["bytes"]] if card else content, name_or_path)
    return Inspection(name_or_path, len(content), hashlib.sha256(content).hexdigest(), contents, card, graph)


def _contents(content: bytes, name: str) -> dict[str, int]:
    """Files in the tail, with their sizes; none behind a bare model."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as tail:
            contents = {entry.filename: entry.file_size for entry in tail.infolist()}
    except _DAMAGE as error:
        if _ENTRY in content:
            raise ModelDamaged(f"{name}: the files behind the model cannot be listed; it was cut.") from error
        return {}
    if CARD not in contents and _CARD_ENTRY.search(content):  # an archive within the tail was taken for the tail
        raise ModelDamaged(f"{name}: the card is not where the list of files says; it was cut.")
    return contents


def _model(graph: Graph) -> dict[str, Any]:
    return {
        "description": graph.description,
        "signatures": list(graph.signatures),
        "metadata": graph.metadata,
        "inputs": [{"name": port.name, "tensor": port.tensor.to_dict()} for port in graph.inputs],
        "outputs": [{"name": port.name, "tensor": port.tensor.to_dict()} for port in graph.outputs],
        "operators": [
            {
                "index": operator.index,
                "name": operator.name,
                "custom": operator.custom,
                "activation": operator.fused or None,
                "inputs": [tensor.to_dict() if tensor else None for tensor in operator.inputs],
                "outputs": [tensor.to_dict() for tensor in operator.outputs],
                "multiply_adds": work,
            }
            for operator, work in zip(graph.operators, graph.work, strict=True)
        ],
        "totals": {
            "operators": graph.kinds,
            "float_operators": graph.float_operators,
            "multiply_adds": graph.multiply_adds,
            "not_counted": list(graph.uncounted),
            "constant_bytes": graph.weight_bytes,
            "custom_bytes": graph.custom_bytes,
            "activation_bytes": graph.arena.bytes,
            "activations_peak_at": graph.arena.operator,
            "subgraphs": graph.subgraphs,
        },
    }


def _finite(value: Any) -> Any:
    """The same without NaN and infinities, which Python writes and JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
