"""The report for a person: the verdict first, then what it rests on."""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Any

from oct_converters.inspection.markdown import escaped
from oct_converters.parity.report import Report
from oct_edge.labels import DISCLAIMER, LABELS
from oct_trainer.metrics import Estimate

_LAYERS = 10


def render(report: Report) -> str:
    """Markdown."""
    sections = (_verdict, _agreement, _held_out, _flips, _calibration, _layers)
    blocks = ["\n".join(section(report)) for section in sections]
    return "\n\n".join([f"# Parity of {report.model}", *blocks, f"{DISCLAIMER.capitalize()}."]) + "\n"


def _verdict(report: Report) -> Iterator[str]:
    scans = ", ".join(f"{count} {split}" for split, count in report.scans.items())
    if report.failures:
        yield "**Refused.** No model was written:"
        yield ""
        yield from (f"- {failure.message}" for failure in report.failures)
    else:
        yield f"**Passed**: every gate, in each of the {len(report.comparisons)} ways to run it below."
    yield ""
    if warnings := report.warnings():
        yield from (f"**Warning.** {warning}" for warning in warnings)
        yield ""
    yield _paragraph(
        f"The Keras parent and the models below answered the same scans: {scans}. Another {report.calibrated} training",
        "scans calibrated and are not among them.",
    )
    yield ""
    yield f"SHA-256 of the int8 network: `{report.sha256}`."
    if report.missing:
        yield ""
        yield from (f"- Not measured: {kind} ({reason})" for kind, reason in report.missing.items())


def _agreement(report: Report) -> Iterator[str]:
    gates = report.gates
    yield "## Alike"
    yield ""
    yield _paragraph(
        f"On all scans. A flip counts where the parent's first class led by {gates.min_margin} or more;",
        f"gates: agreement {gates.min_agreement} or more, mean change of probability {gates.max_mean_change} or less.",
    )
    yield ""
    rows = [("float32 .tflite", report.identities["float32"], report.float32)]
    rows += [("int8", report.identities[name], part) for name, part in report.comparisons.items()]
    yield from _table(
        ("model", "runtime", "agreement", "flips (counted)", "mean change", "largest change"),
        (
            (
                model,
                runtime,
                f"{part.agreement:.4f}",
                f"{len(part.flips)} ({part.counted})",
                f"{part.mean_change:.4f}",
                f"{part.max_change:.4f}",
            )
            for model, runtime, part in rows
        ),
    )


def _held_out(report: Report) -> Iterator[str]:
    first = report.held_out[report.deployed]
    yield "## As right"
    yield ""
    yield _paragraph(
        f"On {first.scans} scans of {first.patients} patients that no training saw; changes in points, with the 95 %",
        "interval that resamples patients, the same ones before and after. Gates: a net loss of",
        f"{int(max(1, report.gates.max_lost * first.scans))} scans or fewer, a drop in accuracy of",
        f"{100 * report.gates.max_accuracy_drop:g} points or less at the end of its interval, and of CNV and DME",
        f"called urgent a net loss of {int(max(1, report.gates.max_lost * first.urgent_scans))} or fewer. Where no",
        "scan changed there is no drop, and in brackets stands what so few patients could not have excluded:",
        f"{100 * first.resolution:.1f} points of accuracy.",
    )
    yield ""
    yield from _table(
        ("", *(report.identities[name] for name in report.held_out)),
        (
            (title, *(cell(part) for part in report.held_out.values()))
            for title, cell in (
                ("accuracy before", lambda part: _interval(part.accuracy_before.to_dict())),
                ("accuracy after", lambda part: _interval(part.accuracy_after.to_dict())),
                ("lost, gained", lambda part: f"{part.lost}, {part.gained}"),
                ("McNemar's p", lambda part: f"{part.p_value:.3g}"),
                ("accuracy, change", lambda part: _points(part.accuracy)),
                *((f"sensitivity {name}", _sensitivity(name)) for name in LABELS),
                ("CNV or DME called urgent: lost, gained", lambda part: f"{part.urgent_lost}, {part.urgent_gained}"),
                ("urgent, sensitivity", lambda part: _points(part.urgent_sensitivity)),
                ("urgent, specificity", lambda part: _points(part.urgent_specificity)),
            )
        ),
    )
    yield ""
    yield "McNemar's p: how often chance alone would split the scans that changed this unevenly, or worse."
    yield f"Urgent: p(CNV) + p(DME) reaches {report.urgency.threshold} at temperature {report.urgency.temperature}."


def _sensitivity(name: str) -> Any:
    return lambda part: _points(part.sensitivity[name])


def _flips(report: Report) -> Iterator[str]:
    yield "## Scans that changed"
    yield ""
    rows = [
        (
            escaped(flip.scan),
            flip.split,
            flip.truth,
            flip.before,
            flip.after,
            f"{flip.margin:.4f}",
            report.identities[name],
        )
        for name, part in report.comparisons.items()
        for flip in part.flips
    ]
    if rows:
        yield from _table(("scan", "split", "truth", "before", "after", "margin before", "runtime"), rows)
    else:
        yield "None."


def _calibration(report: Report) -> Iterator[str]:
    found = report.calibration
    yield "## Calibration"
    yield ""
    flatters = ", so these figures flatter" if found["split"] == "val" else ""
    yield f"On `{found['split']}`; the temperature was fitted on the int8 logits of `val`{flatters}."
    yield ""
    yield from _table(
        ("", "expected calibration error", "Brier score"),
        (
            (f"{model}, {how}", _interval(figures["ece"]), _interval(figures["brier"]))
            for model, stage in (("parent", "before"), ("int8", "after"))
            for how, figures in (
                ("as it is", found[stage]["as_is"]),
                ("with this temperature", found[stage]["with_temperature"]),
            )
        ),
    )


def _layers(report: Report) -> Iterator[str]:
    yield "## Where precision is lost"
    yield ""
    if not report.layers:
        yield "The float and the int8 graph have other operators, and could not be paired."
        return
    yield _paragraph(
        "Root mean square of the difference over the standard deviation of the float values, inputs' errors included;",
        f"the {min(_LAYERS, len(report.layers))} largest of {len(report.layers)} operators.",
    )
    yield ""
    worst = sorted(report.layers, key=lambda layer: -layer.error)[:_LAYERS]
    yield from _table(("operator", "layer", "error"), ((a.operator, f"`{a.name}`", f"{a.error:.4f}") for a in worst))


def _paragraph(*pieces: str) -> str:
    return "\n".join(wrap(" ".join(pieces), 120))


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (header, ("---",) * len(header), *rows):
        yield "| " + " | ".join(row) + " |"


def _points(change: Estimate) -> str:
    figure = change.to_dict()
    if figure["low"] is None or figure["high"] is None:
        return "not known"
    return f"{100 * change.value + 0.0:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def _interval(figure: dict[str, float | None]) -> str:
    if figure["low"] is None:
        return "not known"
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"
