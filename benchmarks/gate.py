"""What does the gate let through, and what does it turn away?

    python benchmarks/gate.py DATA [--negatives DIR] [--model NAME|PATH ...] [--split test]

DATA is a data set as in training; its split is answered as it is, and changed in each of the ways of
`oct_trainer.negatives`. Of as many pictures made of nothing, and of every picture under `--negatives` (its subfolders
are kinds), it is known that they are no B-scan. A JPEG counts as damaged where at least one pixel in fifty is another.

Prints k of n with the 95 % interval of Wilson (1927), and writes `gate.json` into the current folder.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oct_edge.classifier import Classifier
from oct_edge.errors import ScanError
from oct_edge.labels import DISCLAIMER
from oct_edge.result import Result
from oct_edge.scan import Scan, decode_scan
from oct_models import bundled_models
from oct_trainer.dataset import read_dataset
from oct_trainer.negatives import CHANGED, MADE, with_bit_errors

_VISIBLE, _SHARE = 25, 0.02  # grey levels, and of the pixels, that a damage has to change
_LEFT = 0.6  # of the bytes of a file that was cut and given an end marker
_ROW = "{:<16} {:<24} {:>5} {:>12} {:>20}  {}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--negatives", type=Path)
    parser.add_argument("--model", nargs="+", default=sorted(bundled_models()))
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    paths = [sample.path for sample in read_dataset(options.data).split(options.split)]
    rows: list[dict[str, Any]] = []
    print(_ROW.format("model", "kind", "n", "no class", "95 %", "why"))
    for model in options.model:
        classifier = Classifier.open(model)
        for kind, results in _kinds(classifier, paths, options.negatives):
            rows.append({"model": classifier.bundle.name, "kind": kind, **_summary(list(results))})
            row = rows[-1]
            why = ", ".join(f"{code} {count}" for code, count in row["codes"].items())
            share = f"{row['low']:.3f}-{row['high']:.3f}"
            print(_ROW.format(row["model"], kind, row["n"], row["without_class"], share, why), flush=True)
    print(DISCLAIMER)
    Path("gate.json").write_text(json.dumps(rows, indent=1) + "\n")


def _kinds(classifier: Classifier, paths: list[Path], negatives: Path | None) -> Iterator[tuple[str, Iterable[Result]]]:
    scans = [decode_scan(path.read_bytes(), path.name).pixels for path in paths]
    yield "as they are", (_graded(classifier, pixels) for pixels in scans)
    rng = np.random.default_rng(0)
    for kind, make in MADE.items():
        yield kind, (_graded(classifier, make(rng)) for _ in paths)
    for kind, change in CHANGED.items():
        yield kind, (_graded(classifier, change(pixels, rng)) for pixels in scans)
    yield "bit errors", (classifier.classify_bytes(data, "x") for data in _damaged(paths, scans, rng))
    yield "cut and closed", (classifier.classify_bytes(_cut(path.read_bytes()), "x") for path in paths)
    for folder in sorted(negatives.iterdir()) if negatives else ():
        yield folder.name, (_graded(classifier, pixels) for pixels in _pictures(folder))


def _graded(classifier: Classifier, pixels: np.ndarray) -> Result:
    return classifier.classify(Scan(pixels, "0" * 64, "x"))


def _cut(data: bytes) -> bytes:
    return data[: int(_LEFT * len(data))] + b"\xff\xd9"


def _damaged(paths: list[Path], scans: list[np.ndarray], rng: np.random.Generator) -> Iterator[bytes]:
    """One damage to each scan, where it can be seen or is refused."""
    for path, before in zip(paths, scans, strict=True):
        data = with_bit_errors(path.read_bytes(), rng)
        try:
            after = decode_scan(data, "x").pixels
        except ScanError:
            yield data
            continue
        if (np.abs(after.astype(np.int16) - before) > _VISIBLE).mean() >= _SHARE:
            yield data


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    """The pictures in a folder in grey: in colour they would not get as far as the gate."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"):
            with Image.open(path) as image:
                yield np.asarray(image.convert("L"))


def _summary(results: list[Result]) -> dict[str, Any]:
    without = sum(result.status != "classified" for result in results)
    low, high = _wilson(without, len(results))
    codes = Counter(reason.code for result in results for reason in result.reasons)
    return {"n": len(results), "without_class": without, "low": low, "high": high, "codes": dict(codes.most_common())}


def _wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    share, spread = (k + z * z / 2) / (n + z * z), z * sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return max(0.0, share - spread), min(1.0, share + spread)


if __name__ == "__main__":
    main()
