"""Does MediaPipe answer as we do, from the same model file?

    python benchmarks/mediapipe_agreement.py [--model NAME|FILE ...] [SCAN|FOLDER ...]

answers every scan (the bundled samples, if none is named) with each model (the bundled ones) through the device's
runtime, and lets MediaPipe answer twice: the picture that our preprocessing makes of the scan, which says whether it
reads the file as we do, and the raw scan, which it resizes by itself, without looking for the retina. Compared are the
`scores`, which MediaPipe shows: before temperature, in steps of 1/256. Scans in a folder named after a class count for
the accuracy. Prints a table and writes `mediapipe_agreement.json` into the current folder. Needs `make mediapipe`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from oct_edge.bundle import Bundle, open_bundle
from oct_edge.errors import OctEdgeError
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand, to_grey
from oct_edge.runtime import open_runtime
from oct_edge.scan import expand_paths, read_scan
from oct_models import bundled_models, sample_scans

HERE = Path(__file__).parent
PYTHON = HERE.parent / ".venv-mediapipe" / "bin" / "python"
_ROW = "{:<17}  {:<12}  {:>5}  {:>9}  {:>11}  {:>14}  {:>8}"


def study(name: str, scans: list[Path], python: Path) -> dict[str, Any]:
    """Our scores for the scans, and how MediaPipe's are to them, shown our picture and shown the raw scan."""
    bundle = open_bundle(name)
    greys = [to_grey(read_scan(path)) for path in scans]
    ours = _our_scores(bundle, greys)
    with TemporaryDirectory() as folder:
        model = Path(folder, "model.tflite")
        model.write_bytes(bundle.content)
        pictures = [Path(folder, f"{i}.png") for i in range(len(greys))]
        for grey, path in zip(greys, pictures, strict=True):
            Image.fromarray(grey).save(path)
        heads, theirs = _their_scores(model, [*pictures, *scans], python)
    shown = {"preprocessed": theirs[: len(scans)], "raw": theirs[len(scans) :]}
    return {
        "model": bundle.name,
        "sha256": bundle.sha256,
        "heads": heads,
        "scans": len(scans),
        "accuracy": _accuracy(scans, ours),
        **{kind: _compared(scans, ours, scores) for kind, scores in shown.items()},
    }


def _our_scores(bundle: Bundle, greys: list[np.ndarray]) -> np.ndarray:
    runtime = open_runtime(bundle.content)
    scores = [runtime.invoke(expand(grey))["scores"] for grey in greys]
    return np.stack([runtime.outputs["scores"].dequantize(stored) for stored in scores])


def _their_scores(model: Path, pictures: list[Path], python: Path) -> tuple[list[str], np.ndarray]:
    """The names of the outputs, and float `[n, 4]` in label order."""
    command = [python, HERE / "mediapipe_answers.py", model, *pictures]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"MediaPipe failed:\n{done.stderr}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return answers[0]["heads"], np.array([[answer["scores"][label] for label in LABELS] for answer in answers])


def _compared(scans: list[Path], ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    changes = np.abs(ours - theirs).max(1)
    same = ours.argmax(1) == theirs.argmax(1)
    return {
        "agreement": float(same.mean()),
        "mean_change": float(changes.mean()),
        "max_change": float(changes.max()),
        "accuracy": _accuracy(scans, theirs),
        "changed": [path.name for path, equal in zip(scans, same, strict=True) if not equal],
    }


def _accuracy(scans: list[Path], scores: np.ndarray) -> float | None:
    """Of the scans whose folder names their class; None where no folder does."""
    answered = [(path.parent.name, LABELS[best]) for path, best in zip(scans, scores.argmax(1), strict=True)]
    right = [truth == label for truth, label in answered if truth in LABELS]
    return sum(right) / len(right) if right else None


def _rows(record: dict[str, Any]) -> list[str]:
    kinds = {kind: record[kind] for kind in ("preprocessed", "raw")}
    of_ours = _ROW.format(record["model"], "ours", record["scans"], "", "", "", _share(record["accuracy"])).rstrip()
    return [of_ours] + [
        _ROW.format(
            record["model"],
            kind,
            record["scans"],
            _share(found["agreement"]),
            f"{found['mean_change']:.4f}",
            f"{found['max_change']:.4f}",
            _share(found["accuracy"]),
        ).rstrip()
        for kind, found in kinds.items()
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="*", type=Path, metavar="SCAN|FOLDER")
    parser.add_argument("--model", action="append", metavar="NAME|FILE", help="repeatable; default: the bundled models")
    parser.add_argument("--python", type=Path, default=PYTHON, help="of an environment that has mediapipe")
    options = parser.parse_args()
    if not options.python.exists():
        sys.exit(f"there is no {options.python}: run `make mediapipe`.")
    scans = expand_paths(options.scans, recursive=True) or sample_scans()
    records = [study(name, scans, options.python) for name in options.model or bundled_models()]
    print(_ROW.format("model", "shown", "scans", "agreement", "mean change", "largest change", "accuracy"))
    for record in records:
        print("\n".join(_rows(record)))
    Path("mediapipe_agreement.json").write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except OctEdgeError as error:
        sys.exit(f"error [{error.code}]: {error.message}\n  hint: {error.hint}")
