"""Hold what machines answered (`answers.py`) against the reference kernels of the first of them, and say what differs.

The reference kernels have to give every output bit for bit on every machine and runtime. The other kernels may round
differently: their logits may be as many steps away as the model's card allows, and the class stays where the margin
between the two likeliest is larger than that. Exits 1 where one answer is not as it should be, or is missing.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTPUTS = ("logits", "scores", "embedding")
_HEAD = f"{'machine':30} {'model':15} {'runtime':8} {'kernels':10} scans   steps: logits  scores  embedding  allowed"

Answer = dict[str, Any]
Truth = dict[tuple[str, str], Answer]
"""Model and scan to the answer that all others are held against."""


@dataclass(frozen=True)
class Row:
    """The answers of one machine, model, runtime and kind of kernels: largest differences, and what is wrong."""

    machine: str
    model: str
    runtime: str
    kernels: str
    scans: int
    steps: dict[str, int]
    allowed: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.machine:30} {self.model:15} {self.runtime:8} {self.kernels:10} {self.scans:5}"
        steps = "  ".join(f"{self.steps[name]:{width}}" for name, width in zip(OUTPUTS, (15, 6, 9), strict=True))
        return "\n  ".join((f"{where} {steps} {self.allowed:8}", *self.faults))


def compare(reports: list[dict[str, Any]]) -> list[Row]:
    """A row for each group of answers in the reports, of which the first holds the truth."""
    truth = {
        (answer["model"], answer["scan"]): answer
        for answer in reports[0]["answers"]
        if (answer["runtime"], answer["kernels"]) == ("litert", "reference")
    }
    return [row for report in reports for row in _rows(report, truth)]


def _rows(report: dict[str, Any], truth: Truth) -> Iterator[Row]:
    groups: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
    for answer in report["answers"]:
        groups[answer["model"], answer["runtime"], answer["kernels"]].append(answer)
    asked = {(runtime, kernels) for _, runtime, kernels in groups} or {("any", "any")}
    for model in sorted({model for model, _ in truth}):
        for runtime, kernels in sorted(asked):
            yield _row(_place(report), truth, (model, runtime, kernels), groups[model, runtime, kernels])


def _row(machine: str, truth: Truth, group: tuple[str, str, str], answers: list[Answer]) -> Row:
    model, runtime, kernels = group
    allowed = 0 if kernels == "reference" else max((answer["tolerance"] for answer in answers), default=0)
    known = {scan for of, scan in truth if of == model}
    given = {answer["scan"]: answer for answer in answers if answer["scan"] in known}
    faults = [f"{scan}: no answer" for scan in sorted(known - given.keys())]
    steps = dict.fromkeys(OUTPUTS, 0)
    for scan, answer in given.items():
        expected = truth[model, scan]
        differences = {name: _steps(answer["outputs"][name], expected["outputs"][name]) for name in OUTPUTS}
        steps = {name: max(steps[name], differences[name]) for name in OUTPUTS}
        faults += [f"{scan}: {fault}" for fault in _faults(answer, expected, differences, allowed)]
    return Row(machine, model, runtime, kernels, len(given), steps, allowed, tuple(faults))


def _faults(answer: Answer, expected: Answer, steps: dict[str, int], allowed: int) -> Iterator[str]:
    if answer["sha256"] != expected["sha256"]:
        yield "another model file"
    if answer["input"] != expected["input"]:
        yield "another input tensor: the picture was decoded or resized differently"
    for name in OUTPUTS if answer["kernels"] == "reference" else ("logits",):
        if steps[name] > allowed:
            yield f"{name} differ by {steps[name]} steps, {allowed} are allowed"
    first, second = sorted(expected["outputs"]["logits"], reverse=True)[:2]
    if first - second > allowed and _top(answer) != _top(expected):
        yield f"another class, at a margin of {first - second} steps"


def _steps(given: list[int], expected: list[int]) -> int:
    return max(abs(a - b) for a, b in zip(given, expected, strict=True))


def _top(answer: Answer) -> int:
    logits: list[int] = answer["outputs"]["logits"]
    return logits.index(max(logits))


def _place(report: dict[str, Any]) -> str:
    return " ".join((report["machine"], report["cpu"], "Python", report["python"])).replace("  ", " ")


def main(paths: list[str]) -> int:
    """Print the table; 0 when all is as it should be."""
    if len(paths) < 2:
        print("usage: compare.py TRUTH.json OTHER.json...", file=sys.stderr)
        return 2
    rows = compare([json.loads(Path(path).read_text(encoding="utf-8")) for path in paths])
    print("\n".join([_HEAD, *map(str, rows)]))
    faults = sum(len(row.faults) for row in rows)
    print(f"{sum(row.scans for row in rows)} answers of {len(paths)} machines, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
