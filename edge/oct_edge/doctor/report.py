"""What a new row of docs/devices.md needs, as a page in Markdown: the row itself, and what it stands on.

Nothing in it says whose device this is: no name of a user, a host or a scan, no path, no serial number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oct_edge.bench import ROUNDS, bench, throttled
from oct_edge.bench import heat as heat_of
from oct_edge.classifier import Classifier
from oct_edge.console import package_version
from oct_edge.doctor.finding import Finding
from oct_edge.doctor.grading import steps, tried
from oct_edge.labels import DISCLAIMER
from oct_edge.machine import Machine, read_machine
from oct_edge.result import utc_now
from oct_edge.runtime import installed_runtimes
from oct_models import bundled_models, sample_scans

NOT_MEASURED = "not measured"
_PRIVATE = ("settings", "permissions", "disk")  # findings that name paths and people


@dataclass(frozen=True)
class Row:
    """One bundled model on this device: what `trial` found, and `bench` with one thread and with all."""

    name: str
    trial: Mapping[str, Any]
    figures: tuple[Mapping[str, Any], ...]


def measure(runtime: str, say: Callable[[str], object], rounds: int = ROUNDS) -> Iterator[Row]:
    """Every bundled model; one that gives no right answers here is not measured. It takes a minute or two."""
    for name in bundled_models():
        say(f"measuring {name} ...")
        trial = tried(name, runtime, None)
        figures = []
        if trial.get("golden") is not None:
            for threads in sorted({1, trial["threads"]}):
                figures.append(bench(Classifier.open(name, runtime, threads), sample_scans(), rounds))
        yield Row(name, trial, tuple(figures))


def report(findings: Sequence[Finding], rows: Sequence[Row], machine: Machine | None = None) -> str:
    """The page."""
    machine = machine or read_machine()
    answers = "; ".join(f"`{row.name}`: {_answers(row)}" for row in rows)
    speed = "; ".join(f"`{row.name}`: {_speed(row)}" for row in rows)
    sections = [
        ["# A row for docs/devices.md", "", f"{DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.", ""],
        ["| device | answers | speed |", "| --- | --- | --- |", f"| {machine.name()} | {answers} | {speed} |", ""],
        ["## What it stands on", "", "| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in _facts(machine)), ""],
        ["| model | threads | invoke p50, p95 | whole way p50, p95 | scans/s | heat | throttled |"],
        ["| --- | --- | --- | --- | --- | --- | --- |", *(line for row in rows for line in _figures(row)), ""],
        ["| | | |", "| --- | --- | --- |", *(f"| {f.what} | {f.state} | {f.text} |" for f in _told(findings)), ""],
    ]
    return "\n".join(line for section in sections for line in section)


def _told(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.what not in _PRIVATE]


def _facts(machine: Machine) -> Iterator[tuple[str, object]]:
    yield "device", machine.device or "no board that says its name"
    yield "processor", f"{machine.processor}, {machine.cores} cores, {machine.usable} usable"
    yield "governor", machine.governor or "nobody says"
    yield "memory", f"{machine.memory_mib} MiB"
    yield "system", f"{machine.system}, kernel {machine.kernel}, Python {machine.python}"
    runtimes = ", ".join(f"{kind} {version}" for kind, version in installed_runtimes().items())
    yield "software", f"oct-edge {package_version()}, {runtimes}"
    yield "when", utc_now()


def _answers(row: Row) -> str:
    if row.trial.get("golden") is None:
        return str(row.trial.get("died") or row.trial["error"]["message"])
    return f"{row.trial['runtime']}, {steps(row.trial)}"


def _speed(row: Row) -> str:
    if not row.figures:
        return NOT_MEASURED
    best = row.figures[-1]
    return f"{best['invoke_ms']['p50']:.1f} ms an invoke, {best['scans_per_second']:.1f} scans/s"


def _figures(row: Row) -> Iterator[str]:
    for one in row.figures:
        spreads = [f"{one[way]['p50']:.1f}, {one[way]['p95']:.1f} ms" for way in ("invoke_ms", "whole_ms")]
        heat = " to ".join(heat_of(one[when]["celsius"]) for when in ("before", "after"))
        cells = (f"`{row.name}`", one["threads"], *spreads, f"{one['scans_per_second']:.1f}", heat, throttled(one))
        yield f"| {' | '.join(map(str, cells))} |"
