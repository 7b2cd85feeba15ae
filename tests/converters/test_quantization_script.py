"""The benchmark of formats and runtimes, as a user calls it: on small models, on damaged ones, and on none at all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oct_edge.bundle import open_bundle
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand
from oct_edge.runtime import open_runtime
from oct_models import bundled_models
from oct_trainer.dataset import read_dataset
from oct_trainer.pictures import Pictures, load_pictures

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "quantization.py"
INT8 = bundled_models()["mobilenet-int8"]
Rows = dict[tuple[str, str], dict[str, Any]]


def call(folder: Path, *arguments: object, before: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run in the folder; `before` is searched for modules before all else."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    known = filter(None, (before and str(before), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(known)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def measured(folder: Path, *arguments: object, before: Path | None = None) -> tuple[Rows, dict[str, Any], str]:
    """Rows by format and runtime, the whole record, and what was printed."""
    done = call(folder, *arguments, before=before)
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "quantization.json").read_text())
    return {(row["format"], row["runtime"]): row for row in record["rows"]}, record, done.stdout


@pytest.fixture
def pictures(phantoms: Path) -> Pictures:
    return load_pictures(read_dataset(phantoms, limit=5).split("test"))


@pytest.fixture
def always_normal() -> bytes:
    """A float32 model that gives every scan the class NORMAL."""
    keras = pytest.importorskip("keras")
    from oct_converters.quantize import to_float32

    pixels = keras.Input((224, 224, 3))
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(pixels)
    bias = keras.initializers.Constant([0.0, 0.0, 0.0, 1.0])
    logits = keras.layers.Dense(4, kernel_initializer="zeros", bias_initializer=bias, name="logits")(embedding)
    return to_float32(keras.Model(pixels, keras.layers.Softmax(name="scores")(logits)))


@pytest.mark.tf
@pytest.mark.slow
def test_formats_are_measured_in_every_runtime(
    always_normal: bytes, phantoms: Path, pictures: Pictures, tmp_path: Path
) -> None:
    (tmp_path / "compact-float32.tflite").write_bytes(always_normal)
    (tmp_path / "compact-float16.tflite").write_bytes(b"no model at all")
    shutil.copy(INT8, tmp_path / "compact-int8.tflite")
    asked = ("--data", phantoms, "--scans", 5, "--rounds", 7, "--network", "compact")
    rows, record, printed = measured(tmp_path, tmp_path, *asked)

    assert len(rows) == 9
    assert (record["scans"], record["rounds"], record["threads"]) == (5, 7, 1)
    runtime = open_runtime(INT8.read_bytes(), "litert", 1)
    answered = np.array([runtime.logits(expand(grey)).argmax() for grey in pictures.grey])
    normal = LABELS.index("NORMAL")
    int8, float32 = (rows[kind, "LiteRT with XNNPACK"] for kind in ("int8", "float32"))
    assert float32["accuracy"]["value"] == round((pictures.labels == normal).mean(), 4)
    assert int8["accuracy"]["value"] == round((pictures.labels == answered).mean(), 4)
    assert int8["agreement"] == round((answered == normal).mean(), 4)
    assert float32["agreement"] == 1.0
    assert float32["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert 0 < int8["ratio"]["low"] <= int8["ratio"]["value"] <= int8["ratio"]["high"]
    assert int8["file_bytes"] == INT8.stat().st_size
    assert int8["model_bytes"] == open_bundle("mobilenet-int8").card["tflite"]["bytes"]
    assert float32["file_bytes"] == float32["model_bytes"] == len(always_normal)
    assert min(int8["pss_bytes"], int8["uss_bytes"]) > int8["model_bytes"]
    assert int8["uss_bytes"] > float32["uss_bytes"]
    assert "cannot read the model" in rows["float16", "LiteRT with XNNPACK"]["problem"]
    assert f"{int8['accuracy']['value']:.3f} (" in printed


def test_what_is_missing_has_a_row_that_says_so(phantoms: Path, tmp_path: Path) -> None:
    """Of the bundled models, where neither tflite-runtime nor TensorFlow can be imported."""
    for package in ("tflite_runtime", "tensorflow"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise ImportError('blocked')\n")
    asked = ("--data", phantoms, "--scans", 2, "--rounds", 2, "--network", "mobilenet")
    rows, _, printed = measured(tmp_path, *asked, before=tmp_path)

    assert rows["float32", "tflite-runtime"]["problem"] == "there is no mobilenet-float32.tflite"
    assert rows["int8", "tflite-runtime"]["problem"].startswith("tflite-runtime is not installed")
    without = rows["int8", "LiteRT without XNNPACK"]
    assert without["identity"].endswith("without XNNPACK")
    assert without["ratio"] is without["agreement"] is None
    assert "tflite-runtime is not installed" in printed


def test_a_folder_or_a_split_that_is_not_there_is_refused(phantoms: Path, tmp_path: Path) -> None:
    nowhere = call(tmp_path, tmp_path / "nowhere", "--data", phantoms)
    assert (nowhere.returncode, "nowhere is no folder" in nowhere.stderr) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    unread = call(tmp_path, "--data", empty)
    assert unread.returncode == 1
    assert unread.stderr.startswith("error [data_set]")
    assert not (tmp_path / "quantization.json").exists()
