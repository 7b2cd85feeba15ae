"""The parts of a card that give figures: how good the model is, how it decides, and what quantization changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from oct_converters.inspection.document import Block, Table, Text
from oct_converters.inspection.outline import cell, facts, grid, outline
from oct_converters.inspection.part import Card, part

_MATRIX = "confusion_matrix"


@part("Metrics", "metrics")
def metrics(card: Card) -> Iterator[Block]:
    yield Text(
        "On scans of held-out patients, each figure with the 95 % interval of a bootstrap that resamples patients. "
        "float32 is the parent, the quantized model is what this file holds."
    )
    measured = {
        f"{kind}, {split}": figures for split in _splits(card["metrics"]) for kind, figures in _of(card, split).items()
    }
    yield grid("", {name: _without(figures, _MATRIX) for name, figures in measured.items()})
    yield from (
        _confusion(name, figures[_MATRIX], card["classes"])
        for name, figures in measured.items()
        if _MATRIX in figures and not name.startswith("float32")
    )


@part("Decision", "temperature", "operating_point")
def decision(card: Card) -> Iterator[Block]:
    yield Text(
        "Logits are divided by the temperature. A scan is urgent where p(CNV) + p(DME) reaches the threshold; where no "
        "other group reaches the least confidence either, the answer is left to a person."
    )
    point = card["operating_point"]
    yield facts({"temperature": card["temperature"], **_without(point, "measured")})
    if point.get("measured"):
        yield grid("urgent", point["measured"])


@part("Parity with the float parent", "parity")
def parity(card: Card) -> Iterator[Block]:
    yield Text("Both models answered the same scans, none of which calibrated; probabilities are before temperature.")
    found = card["parity"]
    if "int8" not in found:
        yield from outline(found)
        return
    int8 = {f"int8, {entry['runtime']}": entry for entry in found["int8"].values()}
    if len(int8) < len(found["int8"]):
        raise ValueError("two readers are called alike")
    alike = {runtime: entry["all"] for runtime, entry in int8.items()}
    yield grid("all scans", {"float32 .tflite": found["float32"], **alike})
    yield grid("held-out scans", {runtime: entry["held_out"] for runtime, entry in int8.items()})
    if "calibration" in found:
        yield _calibration(found["calibration"])
    yield facts(_without(found, "float32", "int8", "calibration"))


@part("Gate", "gate")
def gate(card: Card) -> Iterator[Block]:
    found = card["gate"]
    yield Text(
        "What is asked before a class is named: of the pixels as they were read, and how far figures of the picture "
        "and the embedding are from those of known scans. Beyond `doubtful` a person has to look, beyond `foreign` "
        "there is no class. Below, quantiles of the distance over the scans of each split."
    )
    yield facts(found["pixels"])
    for name, limits in found["groups"].items():
        yield grid(f"{name}, distance", limits)
    for kind, distances in found.get("distance", {}).items():
        yield grid(f"{kind}, quantile", distances)
    yield facts(_without(found, "pixels", "groups", "distance"))


@part("Golden answers", "golden")
def golden(card: Card) -> Iterator[Block]:
    yield Text(
        "Logits, as stored, that the reference kernels give for the inputs inside the file. A runtime serves the model "
        "only where it gives them within its tolerance, in steps of the stored logits."
    )
    yield facts(_without(card["golden"], "answers"))
    answers = card["golden"]["answers"]
    yield Table(
        ("input", *card["classes"]),
        tuple((cell(answer["input"]), *map(cell, answer["logits"])) for answer in answers),
    )


def _calibration(found: Mapping[str, Any]) -> Table:
    stages = _without(found, "split")
    columns = {f"{stage}, {how}": figures for stage, ways in stages.items() for how, figures in ways.items()}
    return grid(f"calibration on {found['split']}", columns)


def _splits(by_kind: Mapping[str, Any]) -> dict[str, None]:
    return dict.fromkeys(split for splits in by_kind.values() for split in splits)


def _of(card: Card, split: str) -> dict[str, Any]:
    return {kind: splits[split] for kind, splits in card["metrics"].items() if split in splits}


def _confusion(name: str, matrix: list[list[int]], classes: list[str]) -> Table:
    rows = zip(classes, matrix, strict=True)
    return Table(
        (f"{name}: truth", *(f"answered {label}" for label in classes)),
        tuple((label, *map(cell, counts)) for label, counts in rows),
    )


def _without(entries: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if key not in keys}
