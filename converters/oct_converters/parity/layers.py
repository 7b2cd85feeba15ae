"""Where precision is lost: the output of every operator of the int8 model beside that of its float twin.

The twin is the same Keras model, converted without quantization: the same operators in the same order. The error of an
operator is the root mean square of the difference over the standard deviation of the float values; it holds what its
inputs have already lost.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from oct_converters.flatbuffer import OperatorOutput, operator_outputs
from oct_edge.preprocess import expand

_ONLY_QUANTIZED = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class LayerError:
    """`error` is relative, 0 for the same values; `name` is the layer's in Keras."""

    operator: str
    name: str
    error: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"error": round(self.error, 5)}


def layer_errors(twin: bytes, int8: bytes, grey: np.ndarray) -> tuple[LayerError, ...]:
    """The error of each operator on pictures uint8 `[n, 224, 224]`; empty where the two graphs cannot be paired."""
    pairs = _pairs(twin, int8)
    before, after = _opened(twin), _opened(int8)
    sums = np.zeros((len(pairs), 4))  # squared difference, float values, their squares, how many
    for picture in grey:
        _invoke(before, picture)
        _invoke(after, picture)
        for i, (float_output, int8_output) in enumerate(pairs):
            exact = before.get_tensor(float_output.tensor).astype(np.float64)
            found = int8_output.dequantize(after.get_tensor(int8_output.tensor)).astype(np.float64)
            sums[i] += ((exact - found) ** 2).sum(), exact.sum(), (exact**2).sum(), exact.size
    return tuple(
        LayerError(output.operator, output.layer, _relative(*row)) for (output, _), row in zip(pairs, sums, strict=True)
    )


def _relative(squared: float, total: float, squares: float, count: float) -> float:
    variance = squares / count - (total / count) ** 2
    return float(np.sqrt(squared / count / variance)) if variance > 0 else 0.0


def _pairs(twin: bytes, int8: bytes) -> list[tuple[OperatorOutput, OperatorOutput]]:
    sides = [
        [output for output in operator_outputs(content) if output.operator not in _ONLY_QUANTIZED]
        for content in (twin, int8)
    ]
    alike = [(a.operator, a.shape) for a in sides[0]] == [(b.operator, b.shape) for b in sides[1]]
    return list(zip(*sides, strict=True)) if alike else []


def _opened(content: bytes) -> Any:
    """An interpreter that keeps what is between the operators, which XNNPACK does not."""
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def _invoke(interpreter: Any, picture: np.ndarray) -> None:
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], expand(picture).astype(detail["dtype"]))
    interpreter.invoke()
