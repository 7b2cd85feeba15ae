"""How does accuracy hold when the same retina is narrower, cropped, tilted, darker, noisier, blurred or written again?

    python benchmarks/robustness.py runs/compact --data data [--model compact-int8.tflite] [--split val]
    python benchmarks/robustness.py --data data --sizes crossval

The first answers every scan of the split as it is and after each perturbation of `oct_trainer.perturb`, with the
network of the run, or with `--model` by the file that was made of it, through the device's runtime and without
TensorFlow. Registration's white borders are changed with the rest, and what a change leaves of them need not be white
any more; with `--no-borders` they are black before, so that what is measured is the retina.

The second takes the sensitivity by picture size from the folds of a cross-validation, which has more scans of each,
and says how far that on one size is from that on all. Both can be asked for at once. Prints tables and writes
`robustness.json` into the current folder.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from oct_edge.bundle import open_bundle
from oct_edge.errors import DataSetError, OctEdgeError, RunError
from oct_edge.preprocess import expand, without_borders
from oct_edge.runtime import open_runtime
from oct_edge.scan import read_scan
from oct_trainer.crossval.records import read_methods
from oct_trainer.evaluation.selection import Selection, select
from oct_trainer.extras import require_tensorflow
from oct_trainer.layout import SPLITS, root_of
from oct_trainer.perturb import PERTURBATIONS, Perturbation
from oct_trainer.robustness import Answer, measure, rows, sensitivity_by_size, size_rows
from oct_trainer.run import FinishedRun, read_finished_run
from oct_trainer.terminal import progress


def by_file(name: str, run: FinishedRun) -> Answer:
    """Answers of a .tflite file, which has to be made of this run's split: of another, it may have seen the scans."""
    bundle = open_bundle(name)
    of_model = bundle.card["training"]["split_sha256"]
    if of_model != run.record["data"]["split_sha256"]:
        raise RunError(
            f"{name}: was trained with another split than {run.folder}.", hint="Name the run it was made of."
        )
    runtime = open_runtime(bundle.content)
    return lambda grey: np.array([runtime.logits(expand(picture)).argmax() for picture in grey])


def by_run(run: FinishedRun) -> Answer:
    """Answers of the float network."""
    require_tensorflow("benchmarks/robustness.py")
    from oct_trainer.predict import scores_of
    from oct_trainer.run_model import load_finished_run

    _, model = load_finished_run(run.folder)
    return lambda grey: scores_of(model, grey).argmax(1)


def study(
    chosen: Selection, answer: Answer, perturbations: Sequence[Perturbation], *, borders: bool
) -> dict[str, object]:
    scans = [read_scan(sample.path) for sample in chosen.samples]
    if not borders:
        scans = [replace(scan, pixels=without_borders(scan.pixels)) for scan in scans]
    labels = np.array([sample.label for sample in chosen.samples])
    patients = np.array([sample.patient for sample in chosen.samples])
    with progress() as show:
        return measure(
            scans, labels, patients, answer, perturbations, lambda done, total: show("perturbations", done, total)
        )


def sizes_of_folds(folder: Path, data: Path) -> dict[str, list[dict[str, object]]]:
    """`sensitivity_by_size` of each method of a cross-validation."""
    found, root = {}, root_of(data)
    for method in read_methods(folder):
        answers = method.answers
        shapes = [_shape(root / path) for path in answers.paths]
        found[method.name] = sensitivity_by_size(answers.labels, answers.predicted, answers.patients, shapes)
    return found


def _shape(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError as error:
        raise DataSetError(
            f"{path}: cannot be opened ({error.strerror or error}).", hint="Name the data of the cross-validation."
        ) from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="the folder of a finished run")
    parser.add_argument("--data", type=Path, required=True, help="that of the run or the cross-validation")
    parser.add_argument("--model", help="a .tflite file of the run, or a bundled model's name")
    parser.add_argument("--split", choices=[*SPLITS, "all"], default="val")
    parser.add_argument("--only", nargs="+", metavar="GROUP", choices=sorted({p.group for p in PERTURBATIONS}))
    parser.add_argument("--no-borders", action="store_true", help="make white borders black before any change")
    parser.add_argument("--sizes", type=Path, metavar="CROSSVAL", help="the --out of `oct-train crossval`")
    options = parser.parse_args()
    if not options.run and not options.sizes:
        parser.error("name a RUN, or a cross-validation with --sizes")
    return options


def study_run(options: argparse.Namespace) -> dict[str, object]:
    """Prints and returns what changes of the picture cost the run that was named."""
    run = read_finished_run(options.run)
    chosen = select(options.data, run, options.split)
    for warning in chosen.warnings():
        print(f"warning: {warning}", file=sys.stderr)
    answer = by_file(options.model, run) if options.model else by_run(run)
    asked = [p for p in PERTURBATIONS if not options.only or p.group in options.only]
    found = study(chosen, answer, asked, borders=not options.no_borders)
    print("\n".join(rows(found)))
    return {
        "network": run.network,
        "model": options.model,
        "split": chosen.split,
        "borders": not options.no_borders,
        **found,
    }


def main() -> None:
    options = _options()
    found = study_run(options) if options.run else {}
    folds = sizes_of_folds(options.sizes, options.data) if options.sizes else {}
    for name, sizes in folds.items():
        print("\n".join([name, *size_rows(sizes)]))
    Path("robustness.json").write_text(json.dumps({**found, "sizes_of_folds": folds}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except OctEdgeError as error:
        sys.exit(f"error [{error.code}]: {error.message}\n  hint: {error.hint}")
