"""What an Edge TPU operator carries: the compiler's package of executables, read from the operator's custom options.

The options are a FlexBuffer map whose entry "4" is a flatbuffer `Package` (identifier DWN1); the layout of both is
public in Google's libedgetpu (`tflite/custom_op_data.h`, `executable/executable.fbs`). Only what a person wants to know
is read: for which runtime and chip it was made, and how many bytes of parameters are cached there or streamed.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from flatbuffers import flexbuffers, number_types
from flatbuffers.table import Table

from oct_edge.errors import ModelDamaged

Kind = Literal["stand-alone", "parameter-caching", "execution-only"]
_KINDS: tuple[Kind, ...] = ("stand-alone", "parameter-caching", "execution-only")
_PACKAGE = "4"
_DAMAGE = (struct.error, LookupError, TypeError, ValueError, AttributeError, AssertionError)


@dataclass(frozen=True)
class Executable:
    """One program for the chip. Parameters of a `parameter-caching` one stay on the chip, others are streamed."""

    kind: Kind
    chip: str
    bytes: int
    parameter_bytes: int


@dataclass(frozen=True)
class Package:
    """`min_runtime_version` is that of the Edge TPU runtime; `compiler` is empty or short where Google left it so."""

    min_runtime_version: int
    compiler: str
    bytes: int
    executables: tuple[Executable, ...]

    @property
    def cached_bytes(self) -> int:
        return sum(e.parameter_bytes for e in self.executables if e.kind == "parameter-caching")

    @property
    def streamed_bytes(self) -> int:
        return sum(e.parameter_bytes for e in self.executables if e.kind != "parameter-caching")


def read_package(options: bytes, name: str) -> Package:
    """The package in the custom options of an `edgetpu-custom-op`; `name` is the file's, for the message.

    Raises:
        ModelDamaged: the options hold no such package.
    """
    try:
        entries = flexbuffers.GetRoot(options).AsMap
        content = bytes(
            next(v for k, v in zip(entries.Keys, entries.Values, strict=True) if k.AsKey == _PACKAGE).AsStringBytes
        )
        if content[4:8] != b"DWN1":
            raise ValueError("it does not start as one")
        return _package(content)
    except (*_DAMAGE, StopIteration) as error:
        raise ModelDamaged(f"{name}: the Edge TPU operator holds no package that can be read ({error}).") from error


def _package(content: bytes) -> Package:
    package = _root(content)
    multiple = _root(_bytes(package, 1))
    vector = _field(multiple, 0, lambda offset: (multiple.Vector(offset), multiple.VectorLen(offset)), (0, 0))
    executables = (bytes(multiple.String(vector[0] + 4 * i)) for i in range(vector[1]))
    return Package(_int(package, 0), _text(package, 4), len(content), tuple(_executable(e) for e in executables))


def _executable(content: bytes) -> Executable:
    table = _root(content)
    kind = _KINDS[_int(table, 13, number_types.Int16Flags)]
    return Executable(kind, _text(table, 10), len(content), len(_bytes(table, 6)))


def _root(content: bytes) -> Any:
    return Table(content, struct.unpack_from("<I", content)[0])


def _field(table: Any, index: int, read: Callable[[int], Any], default: Any) -> Any:
    """The field with this number in the schema, which the file leaves out where it has the default."""
    offset = table.Offset(4 + 2 * index)
    return read(offset) if offset else default


def _int(table: Any, index: int, kind: Any = number_types.Int32Flags) -> int:
    return int(_field(table, index, lambda offset: table.Get(kind, table.Pos + offset), 0))


def _text(table: Any, index: int) -> str:
    return str(_field(table, index, lambda offset: bytes(table.String(table.Pos + offset)).decode(), ""))


def _bytes(table: Any, index: int) -> bytes:
    def read(offset: int) -> bytes:
        start = table.Vector(offset)
        return bytes(table.Bytes[start : start + table.VectorLen(offset)])

    return bytes(_field(table, index, read, b""))
