"""Which operators of a .tflite would run on the Edge TPU, and why the others would not: without compiler or device.

The compiler makes one partition: from the start of the graph to the first operator that the Edge TPU does not take.
That one and everything behind it run on the CPU. Operators at the very start that only quantize a float input are
left on the CPU without ending anything. This is a reading of what is published; the compiler has the last word.
"""

from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from oct_converters.edgetpu.operators import doubt, obstacle
from oct_converters.graph import Operator, read_graph

SOURCE = "https://coral.ai/docs/edgetpu/models-intro/#supported-operations"


@dataclass(frozen=True)
class Verdict:
    """Where one operator runs. `reason`: why on the CPU, empty where it is mapped. `doubt`: what is left open.

    `stranded` marks an operator that the Edge TPU would take, if nothing before it had ended the partition.
    """

    index: int
    operator: str
    output: str
    mapped: bool
    reason: str = ""
    doubt: str = ""
    stranded: bool = False


@dataclass(frozen=True)
class Check:
    """`parameter_bytes`: constants of the mapped operators, which the Edge TPU caches in roughly 8 MB on the chip."""

    verdicts: tuple[Verdict, ...]
    parameter_bytes: int

    @property
    def mapped(self) -> int:
        return sum(verdict.mapped for verdict in self.verdicts)

    @property
    def whole(self) -> bool:
        """Every operator is mapped."""
        return self.mapped == len(self.verdicts)

    @property
    def offenders(self) -> tuple[Verdict, ...]:
        """Operators that run on the CPU for a reason of their own."""
        return tuple(verdict for verdict in self.verdicts if not verdict.mapped and not verdict.stranded)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "source": SOURCE,
            "operators": len(self.verdicts),
            "mapped": self.mapped,
            "parameter_bytes": self.parameter_bytes,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
        }


def check(tflite: bytes, name: str = "the model") -> Check:
    """The verdict on each operator, in the order of execution. Raises `ModelDamaged` where there is no model."""
    operators = read_graph(tflite, name).operators
    reasons = [obstacle(operator) for operator in operators]
    start = len(list(takewhile(_quantizes_floats, operators)))
    behind = range(start, len(operators))
    end = next((i for i in behind if reasons[i]), len(operators))
    verdicts = tuple(
        _verdict(operator, reason, operators[end] if operator.index > end else None)
        for operator, reason in zip(operators, reasons, strict=True)
    )
    return Check(verdicts, _parameter_bytes(operators[start:end]))


def _verdict(operator: Operator, reason: str, ended_by: Operator | None) -> Verdict:
    output = operator.outputs[0].name if operator.outputs else ""
    if reason:
        return Verdict(operator.index, operator.name, output, False, reason)
    if ended_by is not None:
        because = f"it comes after {ended_by.name} (operator {ended_by.index}), which runs on the CPU"
        return Verdict(operator.index, operator.name, output, False, because, stranded=True)
    return Verdict(operator.index, operator.name, output, True, doubt=doubt(operator))


def _quantizes_floats(operator: Operator) -> bool:
    tensor = operator.input(0)
    return operator.name == "QUANTIZE" and tensor is not None and tensor.type == "FLOAT32"


def _parameter_bytes(operators: tuple[Operator, ...]) -> int:
    constants = {id(t): t.constant.nbytes for o in operators for t in o.tensors if t.constant is not None}
    return sum(constants.values())
