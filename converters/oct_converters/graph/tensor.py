"""One tensor of a model: its shape and type, how stored numbers stand for real ones, and its values where it is stored.

The file's objects are those of the schema's Python module, untyped; they end here and in `operator`.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
_DTYPES = {"INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}
_BITS = {
    **{"BOOL": 8, "INT2": 2, "INT4": 4, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64},
    **{"UINT4": 4, "UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64},
    **{"FLOAT16": 16, "BFLOAT16": 16, "FLOAT32": 32, "FLOAT64": 64, "COMPLEX64": 64, "COMPLEX128": 128},
}


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (stored - zero_point)`, with one of each, or one a channel of the dimension `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1

    def to_dict(self) -> dict[str, Any]:
        """A tensor's scale and zero point, or the range of its channels' scales."""
        if not self.per_channel:
            return {"kind": "per-tensor", "scale": self.scales[0], "zero_point": self.zero_points[0]}
        return {
            "kind": "per-channel",
            "axis": self.axis,
            "channels": len(self.scales),
            "smallest_scale": min(self.scales),
            "largest_scale": max(self.scales),
        }


@dataclass(frozen=True, eq=False)
class Tensor:
    """`dynamic`: a dimension is only known at run time. `quantization` is None for numbers that stand for themselves.

    `constant`: the values, flat, of a tensor that is stored in the file, as bytes where numpy has no such type.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    dynamic: bool
    variable: bool
    quantization: Quantization | None
    constant: np.ndarray | None

    @property
    def bytes(self) -> int:
        """What it takes in memory; 0 for strings and resources, whose size the file does not tell."""
        return (prod(self.shape) * _BITS.get(self.type, 0) + 7) // 8

    @property
    def real(self) -> bool:
        """It holds floating-point numbers."""
        return "FLOAT" in self.type or "COMPLEX" in self.type

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the values."""
        return {
            "index": self.index,
            "name": self.name,
            "shape": list(self.shape),
            "type": self.type.lower(),
            "dynamic": self.dynamic,
            "constant": self.constant is not None,
            "quantization": self.quantization.to_dict() if self.quantization else None,
        }


def tensor_of(model: Any, tensor: Any, index: int) -> Tensor:
    """From the schema's objects."""
    kind = _TYPES[tensor.type]
    shape = tuple(int(size) for size in listed(tensor.shape))
    return Tensor(
        index,
        tensor.name.decode(errors="replace") if tensor.name else "",
        tuple(1 if size < 0 else size for size in shape),
        kind,
        any(size < 0 for size in (*shape, *listed(tensor.shapeSignature))),
        bool(tensor.isVariable),
        _quantization(tensor.quantization),
        _constant(model.buffers[tensor.buffer].data, kind) if tensor.buffer else None,
    )


def listed(vector: Any) -> Any:
    """A vector of the file, empty where it was left out."""
    return () if vector is None else vector


def _quantization(parameters: Any) -> Quantization | None:
    scales = tuple(float(scale) for scale in listed(parameters.scale)) if parameters else ()
    if not scales:
        return None
    zero_points = tuple(int(zero_point) for zero_point in listed(parameters.zeroPoint))
    return Quantization(scales, zero_points or (0,), int(parameters.quantizedDimension))


def _constant(data: Any, kind: str) -> np.ndarray | None:
    if data is None or not len(data):
        return None
    return np.asarray(data, np.uint8).view(_DTYPES.get(kind, np.uint8))
