"""Other readers find in the model file what they look for: MediaPipe itself, the schema's own code, the interpreters.

The bundled models are described anew here, so that what is tested is what this version writes.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import astuple
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from oct_converters.flatbuffer import pack_model
from oct_converters.metadata import NAME, About, add_metadata
from oct_edge.bundle import CARD, LABELS_FILE, Bundle, open_bundle, pack
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand
from oct_edge.runtime import installed_runtimes, open_runtime
from oct_models import bundled_models

ROOT = Path(__file__).parents[2]
ABOUT = About("mine", "What it is for.", "1.2.3", "Somebody", "Apache-2.0")
OUTPUTS = ["scores", "logits", "embedding"]  # and, of some networks, the class activation map


def flatbuffer_of(bundle: Bundle) -> bytes:
    """The bundled network as it was before it was described."""
    tflite = bundle.content[: bundle.card["tflite"]["bytes"]]
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    for entry in model.metadata:
        if entry.name == NAME:
            model.buffers[entry.buffer].data = None
    model.metadata = [entry for entry in model.metadata if entry.name != NAME]
    return pack_model(model, len(tflite))


@pytest.fixture(scope="module", params=bundled_models())
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return open_bundle(request.param)


@pytest.fixture(scope="module")
def bare(bundle: Bundle) -> bytes:
    return flatbuffer_of(bundle)


@pytest.fixture(scope="module")
def described(bare: bytes) -> bytes:
    return add_metadata(bare, ABOUT)


@pytest.fixture(scope="module")
def file(bundle: Bundle, described: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole model file: network, metadata, card, labels, golden inputs."""
    with zipfile.ZipFile(BytesIO(bundle.content)) as tail:
        files = {name: tail.read(name) for name in tail.namelist() if name not in (CARD, LABELS_FILE)}
    path = tmp_path_factory.mktemp("described") / f"{bundle.name}.tflite"
    path.write_bytes(pack(described, bundle.card, files))
    return path


@pytest.fixture(scope="module")
def mediapipe() -> Path:
    """The Python of the environment that has MediaPipe."""
    python = ROOT / ".venv-mediapipe" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs MediaPipe in an environment of its own: `make mediapipe`")
    return python


@pytest.fixture(scope="module")
def metadata(mediapipe: Path, file: Path) -> dict[str, Any]:
    """What the schema's reader finds."""
    command = [mediapipe, Path(__file__).with_name("schema_reader.py"), file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def agreement(mediapipe: Path, file: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`benchmarks/mediapipe_agreement.py` on some scans, as a user calls it."""

    def measure(*scans: Path) -> dict[str, Any]:
        command = [sys.executable, ROOT / "benchmarks" / "mediapipe_agreement.py", "--model", file, *scans]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        (record,) = json.loads((tmp_path / "mediapipe_agreement.json").read_text())
        return record

    return measure


def assert_mediapipe_answers_as_we_do(record: dict[str, Any]) -> None:
    assert record["heads"][:3] == OUTPUTS
    assert record["preprocessed"]["changed"] == []
    assert record["preprocessed"]["max_change"] <= 1 / 256


def test_mediapipe_answers_as_we_do_for_every_sample(
    agreement: Callable[..., dict[str, Any]], samples: list[Path]
) -> None:
    record = agreement(*samples)
    assert record["scans"] == len(samples)
    assert_mediapipe_answers_as_we_do(record)


@pytest.mark.slow
def test_mediapipe_answers_as_we_do_for_every_real_test_scan(
    agreement: Callable[..., dict[str, Any]], oct2017: Path
) -> None:
    record = agreement(oct2017 / "test")
    assert record["scans"] == 129
    assert_mediapipe_answers_as_we_do(record)


def test_the_schema_reader_finds_the_pixels_as_they_are(metadata: dict[str, Any]) -> None:
    (pixels,) = metadata["subgraphMetadata"][0]["inputTensorMetadata"]
    assert pixels["name"] == "pixels"
    assert pixels["content"] == {"contentPropertiesType": 2, "contentProperties": {"colorSpace": 1}}, "an RGB image"
    assert pixels["processUnits"] == [{"optionsType": 1, "options": {"mean": [0.0], "std": [1.0]}}]
    assert pixels["stats"] == {"min": [0.0], "max": [255.0]}


def test_the_schema_reader_finds_the_outputs_in_order_and_their_labels(metadata: dict[str, Any], file: Path) -> None:
    outputs = metadata["subgraphMetadata"][0]["outputTensorMetadata"]
    names = [output["name"] for output in outputs]
    assert names[:3] == OUTPUTS
    assert sorted(names) == sorted(open_runtime(file.read_bytes()).outputs)
    assert all(output["description"] for output in outputs)
    (labels,) = outputs[0]["associatedFiles"]
    assert labels["type"] == 2, "labels of the tensor's axis"
    assert not any("associatedFiles" in output for output in outputs[1:])
    with zipfile.ZipFile(file) as tail:
        assert tail.read(labels["name"]).decode().splitlines() == list(LABELS)


def test_the_schema_reader_finds_what_was_said_of_the_model(metadata: dict[str, Any]) -> None:
    fields = ("name", "description", "version", "author", "license")
    assert tuple(metadata[field] for field in fields) == astuple(ABOUT)


def test_no_field_asks_for_a_younger_parser_than_is_said(metadata: dict[str, Any]) -> None:
    """What came after 1.0.0, by the history in the schema; the kinds of files, contents and units are tested above."""
    assert metadata["minParserVersion"] == "1.0.0"
    assert not {name for name in metadata["subgraphMetadata"][0] if "ProcessUnits" in name or "Groups" in name}
    assert "customMetadata" not in metadata["subgraphMetadata"][0]
    files = metadata["subgraphMetadata"][0]["outputTensorMetadata"][0]["associatedFiles"]
    assert not any("version" in one for one in files)


@pytest.mark.parametrize("kind", installed_runtimes())
def test_no_answer_changes_by_a_step(bundle: Bundle, bare: bytes, file: Path, kind: str) -> None:
    before, after = open_runtime(bare, kind), open_runtime(file.read_bytes(), kind)
    assert after.outputs == before.outputs
    for golden in bundle.golden:
        expected, found = (runtime.invoke(expand(golden.grey)) for runtime in (before, after))
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def test_the_golden_answers_of_the_reference_kernels_are_given_exactly(bundle: Bundle, file: Path) -> None:
    original = open_runtime(bundle.content)
    runtime = open_runtime(file.read_bytes(), kernels="reference")
    for golden in bundle.golden:
        expected = original.outputs["logits"].dequantize(golden.logits)
        np.testing.assert_array_equal(runtime.logits(expand(golden.grey)), expected)


def test_a_model_described_twice_is_described_once(described: bytes, bare: bytes) -> None:
    assert add_metadata(add_metadata(bare, About("other", "", "", "", "")), ABOUT) == described
    names = [entry.name for entry in schema.ModelT.InitFromPackedBuf(described, 0).metadata]
    assert names.count(NAME) == 1


def test_constants_keep_their_alignment_and_the_file_its_mark(described: bytes, unaligned: Callable) -> None:
    assert described[4:8] == b"TFL3"
    assert unaligned(described) == []


def test_the_file_grows_by_no_more_than_the_text(described: bytes, bare: bytes) -> None:
    assert 0 < len(described) - len(bare) < 2000
