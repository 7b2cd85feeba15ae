"""`oct-convert inspect`: everything that a model file says, for people and machines, and nothing of a bad one."""

import json
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from oct_converters.cli import app
from oct_converters.inspection.inspect import inspect_model
from oct_edge.bundle import Bundle, open_bundle
from oct_edge.errors import ModelDamaged, ModelError
from oct_edge.labels import DISCLAIMER, LABELS
from oct_models import DEFAULT, bundled_models

PAGE = Path(__file__).parents[2] / "docs" / "convert.md"
CORAL = Path(__file__).parents[3] / "shared" / "data" / "weights" / "coral"
TENSOR = {
    "type": "object",
    "required": ["index", "name", "shape", "type", "dynamic", "constant", "quantization"],
    "properties": {
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "type": {"enum": ["uint8", "int8", "int32", "int64", "float32"]},
        "quantization": {
            "anyOf": [
                {"type": "null"},
                {"properties": {"kind": {"const": "per-tensor"}}, "required": ["kind", "scale", "zero_point"]},
                {"properties": {"kind": {"const": "per-channel"}}, "required": ["kind", "axis", "channels"]},
            ]
        },
    },
}
PORTS = {"type": "array", "minItems": 1, "items": {"required": ["name", "tensor"], "properties": {"tensor": TENSOR}}}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "file", "card", "model", "disclaimer"],
    "properties": {
        "schema": {"const": "oct-edge/inspection@1"},
        "disclaimer": {"const": DISCLAIMER},
        "file": {
            "type": "object",
            "required": ["name", "bytes", "sha256", "contents"],
            "properties": {
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "contents": {"type": "object", "additionalProperties": {"type": "integer"}},
            },
        },
        "card": {"type": ["object", "null"]},
        "model": {
            "type": "object",
            "required": ["description", "signatures", "metadata", "inputs", "outputs", "operators", "totals"],
            "properties": {
                "inputs": PORTS,
                "outputs": PORTS,
                "operators": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["index", "name", "custom", "activation", "inputs", "outputs", "multiply_adds"],
                        "properties": {
                            "inputs": {"items": {"anyOf": [{"type": "null"}, TENSOR]}},
                            "outputs": {"items": TENSOR},
                            "multiply_adds": {"type": ["integer", "null"], "minimum": 0},
                        },
                    },
                },
                "totals": {
                    "type": "object",
                    "required": ["operators", "multiply_adds", "not_counted", "constant_bytes", "activation_bytes"],
                },
            },
        },
    },
}


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def answer(*arguments: object) -> dict[str, Any]:
    done = inspect(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("compact-int8")


@pytest.fixture
def bare(bundle: Bundle, tmp_path: Path) -> Path:
    """The model without its card, as another converter would have left it."""
    path = tmp_path / "bare.tflite"
    path.write_bytes(bundle.content[: bundle.card["tflite"]["bytes"]])
    return path


@pytest.fixture
def coral() -> Path:
    if not CORAL.is_dir():
        pytest.skip("needs ../shared/data/weights/coral")
    return CORAL


def sections(output: str) -> list[str]:
    return [line for line in output.splitlines() if line and not line.startswith(" ")]


@pytest.mark.parametrize("name", bundled_models())
def test_people_see_card_operators_and_memory(name: str) -> None:
    done = inspect(name)
    assert done.exit_code == 0
    shown = sections(done.stdout)
    assert shown[0] == "File"
    assert shown[-4:] == ["Inputs and outputs", "Work and memory", "Operators", DISCLAIMER]
    asked = {"Model", "Intended use", "Training", "Metrics", "Decision", "Quantization", "Golden answers", "Software"}
    assert asked < set(shown)
    card = open_bundle(name).card
    for value in (card["network"], card["preprocessing"], *LABELS, *card["software"].values()):
        assert str(value) in done.stdout
    accuracy = card["metrics"]["int8"]["test"]["accuracy"]
    assert f"{accuracy['value']:.3f} ({accuracy['low']:.3f}-{accuracy['high']:.3f})" in done.stdout
    for licence in card["licences"]:
        assert licence in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", bundled_models())
def test_machines_get_the_whole_card_and_every_operator(name: str) -> None:
    found, bundle = answer(name), open_bundle(name)
    assert found["card"] == bundle.card
    assert found["file"]["sha256"] == bundle.sha256
    assert found["file"]["bytes"] == len(bundle.content)
    assert {"card.json", *(a["input"] for a in bundle.card["golden"]["answers"])} <= set(found["file"]["contents"])
    model = found["model"]
    assert model["outputs"][0]["name"] == "scores"
    assert model["inputs"][0]["tensor"]["quantization"] == {"kind": "per-tensor", "scale": 1.0, "zero_point": 0}
    assert sum(model["totals"]["operators"].values()) == len(model["operators"])
    assert model["totals"]["multiply_adds"] == sum(operator["multiply_adds"] for operator in model["operators"])
    assert model["totals"]["float_operators"] == 0
    assert json.loads(json.dumps(inspect_model(name).to_dict())) == found


def test_a_path_is_inspected_as_a_name_is() -> None:
    by_path, by_name = answer(bundled_models()[DEFAULT]), answer(DEFAULT)
    assert by_path["file"].pop("name") == str(bundled_models()[DEFAULT])
    assert by_name["file"].pop("name") == DEFAULT
    assert by_path == by_name


def test_a_model_without_a_card_is_shown_and_said_to_have_none(bare: Path) -> None:
    found = answer(bare)
    assert found["card"] is None
    assert found["file"]["contents"] == {}
    assert found["model"] == answer("compact-int8")["model"]
    done = inspect(bare)
    assert sections(done.stdout)[:2] == ["File", "Card"]
    assert "There is none in this file" in done.stdout
    assert "CONV_2D" in done.stdout
    assert inspect(bare, "--markdown").exit_code == 0


@pytest.mark.tf
def test_a_float_model_of_other_people_is_shown(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    from oct_edge.quiet import silenced

    pixels = keras.Input(batch_shape=(1, 4, 4, 1), name="pixels")
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(pixels)))
    path = tmp_path / "tiny.tflite"
    with silenced(1, 2):
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    found = answer(path)
    assert found["card"] is None
    assert found["model"]["totals"]["float_operators"] > 0
    assert found["model"]["totals"]["multiply_adds"] == 4 * 4 * 2
    assert found["model"]["inputs"][0]["tensor"]["quantization"] is None
    assert "float32" in inspect(path).stdout


def test_compiled_models_for_the_edge_tpu_are_shown(coral: Path) -> None:
    for path in sorted(coral.glob("*.tflite")):
        found = answer(path)
        compiled = path.stem.endswith("_edgetpu")
        assert found["card"] is None
        assert found["model"]["totals"]["not_counted"] == (["edgetpu-custom-op"] if compiled else [])
        done = inspect(path)
        assert done.exit_code == 0
        assert ("edgetpu-custom-op" in done.stdout) is compiled


def test_labels_and_metadata_of_others_are_named(coral: Path) -> None:
    done = inspect(coral / "mobilenet_v1_0.25_128_quant.tflite")
    assert "imagenet_labels.txt" in done.stdout
    assert "TFLITE_METADATA" in done.stdout


def _cut(bundle: Bundle, at: float) -> bytes:
    return bundle.content[: int(at * len(bundle.content))]


def _in_the_tail(bundle: Bundle) -> bytes:
    return bundle.content[: bundle.card["tflite"]["bytes"] + 5_000]


def _edited_weights(bundle: Bundle) -> bytes:
    return bundle.content[:300_000] + b"\0edited\0" + bundle.content[300_008:]


def _keras_file(bundle: Bundle) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", "{}")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda bundle: b"", "not a TFLite model", id="empty"),
        pytest.param(lambda bundle: b"no model\n" * 9, "not a TFLite model", id="text"),
        pytest.param(_keras_file, "not a TFLite model", id="zip without a model"),
        pytest.param(lambda bundle: _cut(bundle, 0.01), "cannot be read", id="cut early"),
        pytest.param(lambda bundle: _cut(bundle, 0.5), "cannot be read", id="cut in the model"),
        pytest.param(_in_the_tail, "it was cut", id="cut in the card"),
        pytest.param(lambda bundle: bundle.content[:-1], "it was cut", id="cut at the end"),
        pytest.param(_edited_weights, "SHA-256 differs", id="edited"),
        pytest.param(lambda bundle: bundle.content.replace(b'"temperature": ', b'"temperature":-'), "card", id="card"),
    ],
)
def test_a_bad_file_is_refused_and_nothing_of_it_printed(
    bundle: Bundle, damage: Any, says: str, tmp_path: Path, run_command: Any
) -> None:
    path = tmp_path / "usb-stick.tflite"
    path.write_bytes(damage(bundle))
    for form in ([], ["--json"], ["--markdown"]):
        with pytest.raises(ModelDamaged, match=says):
            raise inspect(path, *form).exception or AssertionError
    done = run_command("oct-convert", "inspect", path)
    assert (done.returncode, done.stdout) == (78, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error [model_damaged]: ")
    assert "usb-stick.tflite" in error
    assert hint.startswith("  hint: ")


def test_wherever_it_is_cut_a_model_is_refused_or_has_no_card(bundle: Bundle, tmp_path: Path) -> None:
    """Whoever loses exactly the tail, or a few bytes more than nothing of it is left, has a model without a card."""
    path, end = tmp_path / "cut.tflite", bundle.card["tflite"]["bytes"]
    cuts = {*range(0, len(bundle.content), 9_973), *range(end - 4, end + 12), end + 30, len(bundle.content) - 22}
    for cut in sorted(cuts):
        path.write_bytes(bundle.content[:cut])
        try:
            assert inspect_model(str(path)).card is None
        except ModelError:
            assert not end <= cut <= end + 5
        else:
            assert end - 4 <= cut <= end + 5


def test_a_name_that_is_no_model_exits_78(run_command: Any) -> None:
    done = run_command("oct-convert", "inspect", "no-such-model")
    assert (done.returncode, done.stdout) == (78, "")
    assert "error [model_not_found]" in done.stderr


def test_the_page_shows_what_the_command_prints() -> None:
    shown = PAGE.read_text().split("```text\n")[1].split("```")[0]
    printed = [line.split() for line in inspect("mobilenet-int8").stdout.splitlines()]
    assert [line for line in shown.splitlines() if line.split() not in printed] == []


def test_json_and_markdown_at_once_are_refused() -> None:
    assert inspect(DEFAULT, "--json", "--markdown").exit_code == 2


def test_converting_stands_beside_inspecting() -> None:
    assert "--runs, --data and --out are needed" in CliRunner().invoke(app, ["--int8"]).stderr
    assert "inspect" in CliRunner().invoke(app, ["--help"]).stdout
    known = ("--int8", "--runs", "runs", "--data", "data", "--out", "out")
    assert "nonsense: not one of mobilenet" in CliRunner().invoke(app, [*known, "--network", "nonsense"]).stderr


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", DEFAULT], ["inspect", DEFAULT, "--json"]])
def test_it_runs_without_tensorflow(arguments: list[str]) -> None:
    blocked = ("tensorflow", "keras", "sklearn", "matplotlib", "rich")
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({blocked}))\n"
        "from oct_converters.cli import main\n"
        "sys.argv[0] = 'oct-convert'\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert DISCLAIMER in " ".join(done.stdout.lower().split())
