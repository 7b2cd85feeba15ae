"""A conversion that was harmed on the way does not get through, and what stops it has a name.

The network has to know its phantoms: one that answers by chance agrees with every harm.
"""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from oct_converters.calibration import CalibrationSet, draw_calibration
from oct_edge.errors import CalibrationError, GateFailed, OctEdgeError, RunError

keras = pytest.importorskip("keras")
from oct_converters import convert as conversion  # noqa: E402
from oct_converters.parity import Gates  # noqa: E402
from oct_converters.run import read_run  # noqa: E402
from oct_trainer.networks.compact import build  # noqa: E402
from oct_trainer.predict import predict  # noqa: E402
from oct_trainer.predictions import write_predictions  # noqa: E402

pytestmark = [pytest.mark.tf, pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(runs: Path, phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network has learnt its sixteen phantoms by heart, on small pictures, to be quick."""
    run = Path(shutil.copytree(runs / "compact", tmp_path_factory.mktemp("trained") / "compact"))
    pictures = read_run(run, phantoms).pictures
    keras.utils.set_random_seed(0)
    model = build("unit", shrink=8)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", jit_compile=False)
    train = pictures["train"]
    model.fit(np.repeat(train.grey[..., None], 3, axis=3), train.labels, batch_size=16, epochs=40, verbose=0)
    answers = {split: predict(model, part, phantoms) for split, part in pictures.items()}
    assert (answers.pop("train").predicted == train.labels).all()
    assert answers["val"].confidence.mean() > 0.6
    model.save(run / "model.keras")
    write_predictions(run / "predictions.csv", answers)
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs" / "compact"))


def convert(run: Path, data: Path, out: Path, gates: Gates) -> Path:
    return conversion.convert(run, data, out, conversion.Options(gates, calibration=16))


@pytest.fixture(scope="module")
def unharmed(trained: Path, phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as it comes out when nothing was done to it, its report beside it."""
    open_gates = Gates(min_agreement=0, max_lost=1, max_accuracy_drop=1, max_mean_change=1)
    return convert(trained, phantoms, tmp_path_factory.mktemp("unharmed"), open_gates)


@pytest.fixture(scope="module")
def gates(unharmed: Path) -> Gates:
    """Twice what so small a network loses unharmed: what fails them fails of the harm."""
    report = json.loads(unharmed.with_suffix(".parity.json").read_text())
    lost = max(reader["all"]["mean_probability_change"] for reader in report["int8"].values())
    assert lost < 0.1
    return Gates(min_agreement=0, max_lost=1, max_accuracy_drop=1, max_mean_change=max(0.02, 2 * lost))


def refused(error: type[OctEdgeError], run: Path, data: Path, out: Path, gates: Gates) -> str:
    """The message of the refusal; no model is left behind."""
    message = refused_in(error, run, data, out, gates)
    assert not list(out.glob("*.tflite"))
    return message


def refused_in(error: type[OctEdgeError], run: Path, data: Path, out: Path, gates: Gates) -> str:
    with pytest.raises(error) as caught:
        convert(run, data, out, gates)
    return caught.value.message


def test_unharmed_it_passes_and_is_not_replaced_unasked(
    run: Path, phantoms: Path, tmp_path: Path, unharmed: Path, gates: Gates
) -> None:
    model = Path(shutil.copy(unharmed, tmp_path))
    assert json.loads(unharmed.with_suffix(".parity.json").read_text())["passed"] is True
    assert "is there already" in refused_in(OctEdgeError, run, phantoms, tmp_path, gates)
    assert model.read_bytes() == unharmed.read_bytes()


def test_a_network_that_reads_pixels_otherwise_is_not_that_of_the_run(
    run: Path, phantoms: Path, tmp_path: Path, gates: Gates
) -> None:
    model = keras.saving.load_model(run / "model.keras")
    model.get_layer("rescaling").scale *= 2
    model.save(run / "model.keras")
    assert "does not give the answers that the run recorded" in refused(
        RunError, run, phantoms, tmp_path / "out", gates
    )


def test_pixels_that_are_read_otherwise_in_the_int8_model_fail_the_gates(
    run: Path, phantoms: Path, tmp_path: Path, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_int8 = conversion.to_int8

    def with_another_scale(model: keras.Model, calibration: CalibrationSet, **options: bool) -> bytes:
        model.get_layer("rescaling").scale *= 2
        return to_int8(model, calibration, **options)

    monkeypatch.setattr(conversion, "to_int8", with_another_scale)
    message = refused(GateFailed, run, phantoms, tmp_path / "out", gates)
    assert "max-mean-change" in message
    report = (tmp_path / "out" / "compact-int8.parity.md").read_text()
    assert "**Refused.**" in report
    assert "max-mean-change" in report


def test_ten_pictures_of_noise_are_too_few_and_sixteen_fail_the_gates(
    run: Path, phantoms: Path, tmp_path: Path, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)

    def noise(count: int) -> Callable[..., CalibrationSet]:
        def draw(training, _: int, seed: int) -> CalibrationSet:
            grey = rng.integers(0, 256, (count, *training.grey.shape[1:]), np.uint8)
            digests = tuple(f"noise {i}" for i in range(count))
            part = training.take(range(count))
            return draw_calibration(replace(part, grey=grey, sha256=digests, labels=np.arange(count) % 4), count, seed)

        return draw

    monkeypatch.setattr(conversion, "draw_calibration", noise(10))
    assert "no calibration set" in refused(CalibrationError, run, phantoms, tmp_path / "few", gates)
    monkeypatch.setattr(conversion, "draw_calibration", noise(16))
    message = refused(GateFailed, run, phantoms, tmp_path / "noise", gates)
    assert "max-mean-change" in message
    assert "litert" in message


def test_shuffled_labels_are_not_those_of_the_run(run: Path, phantoms: Path, tmp_path: Path, gates: Gates) -> None:
    rows = list(csv.DictReader((run / "split.csv").read_text().splitlines()))
    held_out = [row for row in rows if row["split"] == "val"]
    labels = [row["label"] for row in held_out]
    for row, label in zip(held_out, labels[3:] + labels[:3], strict=True):
        row["label"] = label
    text = StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (run / "split.csv").write_text(text.getvalue())
    record = json.loads((run / "metrics.json").read_text())
    record["data"]["split_sha256"] = hashlib.sha256(text.getvalue().encode()).hexdigest()
    (run / "metrics.json").write_text(json.dumps(record))
    assert "other labels" in refused(RunError, run, phantoms, tmp_path / "out", gates)


def test_a_calibration_scan_that_is_held_out_too_is_refused(
    run: Path, phantoms: Path, tmp_path: Path, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_twice(training, count: int, seed: int) -> CalibrationSet:
        drawn = draw_calibration(training, count, seed)
        digests = list(training.sha256)
        digests[drawn.chosen[0]] = held_out
        return replace(drawn, pictures=replace(training, sha256=tuple(digests)))

    rows = csv.DictReader((run / "split.csv").read_text().splitlines())
    held_out = next(row["sha256"] for row in rows if row["split"] == "val")
    monkeypatch.setattr(conversion, "draw_calibration", draw_twice)
    message = refused(CalibrationError, run, phantoms, tmp_path / "out", gates)
    assert "1 held-out scans are calibration scans too" in message
