"""What `edgetpu_compiler -s` prints, as figures: memory on the chip, partitions, and where each operator went."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from oct_edge.errors import CompilationFailed

MAPPED = "Mapped to Edge TPU"
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ROW = re.compile(r"^(\S+)[ \t]+(\d+)[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_CHATTER = re.compile(
    r"Edge TPU Compiler version|Started a compilation timeout|Compilation child process|Compilation failed!"
)


@dataclass(frozen=True)
class OperatorCount:
    """So many operators of this name have this status, in the compiler's own words."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True)
class CompilerReport:
    """Sizes are bytes, as exact as the two decimals that the compiler prints.

    `on_chip_used` and `on_chip_left` are memory for caching parameters, `off_chip` is what has to be streamed to the
    device for every scan. `operations` counts those of the model before compilation.
    """

    version: str
    input_size: int
    output_size: int
    on_chip_used: int
    on_chip_left: int
    off_chip: int
    subgraphs: int
    operations: int
    operators: tuple[OperatorCount, ...]

    @property
    def mapped(self) -> int:
        """Operations that run on the Edge TPU."""
        return sum(entry.count for entry in self.operators if entry.status == MAPPED)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"operators": [asdict(entry) for entry in self.operators], "mapped": self.mapped}


def parse_report(printed: str, log: str, name: str) -> CompilerReport:
    """The figures in what the compiler printed; the operators from there or, failing that, from its log file.

    Raises:
        CompilationFailed: a figure is missing, or the operators do not add up.
    """
    operators = _operators(printed) or _operators(log)
    report = CompilerReport(
        _text(printed, "Edge TPU Compiler version ", name),
        _size(printed, "Input size: ", name),
        _size(printed, "Output size: ", name),
        _size(printed, "On-chip memory used for caching model parameters: ", name),
        _size(printed, "On-chip memory remaining for caching model parameters: ", name),
        _size(printed, "Off-chip memory used for streaming uncached model parameters: ", name),
        _number(printed, "Number of Edge TPU subgraphs: ", name),
        _number(printed, "Total number of operations: ", name),
        operators,
    )
    listed = sum(entry.count for entry in operators)
    if listed != report.operations:
        raise _unreadable(name, f"it lists {listed} operators of {report.operations}")
    return report


def complaint(printed: str) -> str:
    """The last lines by which a compiler that failed says why; it prints no more than a few."""
    lines = [line.strip() for line in printed.splitlines() if line.strip() and not _CHATTER.match(line.strip())]
    return " / ".join(lines[-3:]) or "it did not say why"


def _operators(text: str) -> tuple[OperatorCount, ...]:
    return tuple(OperatorCount(name, int(count), status) for name, count, status in _ROW.findall(text))


def _text(printed: str, label: str, name: str) -> str:
    found = re.search(rf"^{re.escape(label)}(\S+)\s*$", printed, re.MULTILINE)
    if not found:
        raise _unreadable(name, f"there is no line `{label.strip()}`")
    return found[1]


def _number(printed: str, label: str, name: str) -> int:
    text = _text(printed, label, name)
    if not text.isdecimal():
        raise _unreadable(name, f"`{label.strip()}` is {text!r}")
    return int(text)


def _size(printed: str, label: str, name: str) -> int:
    text = _text(printed, label, name)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)", text)
    if not found:
        raise _unreadable(name, f"`{label.strip()}` is {text!r}")
    return round(float(found[1]) * _UNITS[found[2]])


def _unreadable(name: str, why: str) -> CompilationFailed:
    return CompilationFailed(
        f"{name}: what edgetpu_compiler printed cannot be read: {why}.",
        hint="Compiler 16.0 is the one that is known; `edgetpu_compiler --version` says which this is.",
    )
