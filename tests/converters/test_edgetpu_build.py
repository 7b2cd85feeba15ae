"""A compiled model gets back what the compiler drops, says what is in it, and never replaces the model for the CPU."""

import json
import runpy
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_converters.edgetpu.build import build_edgetpu
from oct_converters.edgetpu.compiled import CUSTOM_OPERATOR, read_compiled, restore_names
from oct_converters.edgetpu.compiler import COMMAND
from oct_converters.edgetpu.constraints import check
from oct_converters.graph import read_graph, unpack
from oct_edge.bundle import CARD, SameClass, open_bundle
from oct_edge.errors import CompilationFailed, CompilerUnavailable, ModelDamaged, OutputUnavailable
from oct_models import bundled_models

CORAL = Path(__file__).parents[3] / "shared" / "data" / "weights" / "coral"
NAME = "compact-int8"
Install = Callable[[str], None]
shared = pytest.mark.skipif(not CORAL.is_dir(), reason="needs ../shared/data/weights/coral")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copy(bundled_models()[NAME], tmp_path / f"{NAME}.tflite"))


@pytest.fixture
def built(source: Path, fake_compiler: None) -> Path:
    return build_edgetpu(source)


def tail(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_compiled_model_keeps_card_and_tail(built: Path, source: Path) -> None:
    bundle, before = open_bundle(str(built)), open_bundle(str(source))
    assert built.name == f"{NAME}-edgetpu.tflite"
    assert bundle.name == f"{NAME}-edgetpu"
    assert bundle.card["delegate"] == "edgetpu"
    assert bundle.golden_tolerance == {"edgetpu": SameClass(0.05)}
    assert {name: data for name, data in tail(built).items() if name != CARD} == {
        name: data for name, data in tail(source).items() if name != CARD
    }
    changed = {"name", "delegate", "edgetpu", "golden", "tflite"}
    assert {k: v for k, v in bundle.card.items() if k not in changed} == {
        k: v for k, v in before.card.items() if k not in changed
    }
    assert bundle.card["golden"]["answers"] == before.card["golden"]["answers"]
    assert bundle.card["edgetpu"]["source_sha256"] == before.card["tflite"]["sha256"]
    assert "not on an Edge TPU" in bundle.card["edgetpu"]["note"]


def test_its_outputs_have_their_names_and_their_order_again(built: Path, source: Path) -> None:
    """The compiler writes no signatures and numbers tensors anew; the device reads outputs by name, scores first."""
    graphs = {}
    for path in (built, source):
        model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        graph = model.subgraphs[0]
        signature = model.signatureDefs[0]
        assert graph.outputs[0] == next(e.tensorIndex for e in signature.outputs if e.name == b"scores")
        graphs[path] = {
            entry.name: (tensor.name, [*tensor.shape], tensor.type, [*tensor.quantization.scale])
            for entry in (*signature.inputs, *signature.outputs)
            for tensor in [graph.tensors[entry.tensorIndex]]
        }
        assert {entry.name for entry in model.metadata} >= {b"min_runtime_version"}
    assert graphs[built] == graphs[source]
    assert {b"scores", b"logits", b"embedding"} < set(graphs[built])


def test_check_compiler_and_content_stand_in_the_report(built: Path) -> None:
    report = json.loads(built.with_suffix(".json").read_text())
    assert report["schema"] == "oct-edge/edgetpu@1"
    assert report["model"] == f"{NAME}-edgetpu"
    assert report["check"]["operators"] == report["compiler"]["operations"]
    assert report["compiled"]["min_runtime_version"] == 14
    assert report["compiled"]["cpu"] == ["QUANTIZE"]
    assert report["disclaimer"].startswith("research use only")
    assert open_bundle(str(built)).card["edgetpu"]["compiler"] == report["compiler"]


def test_without_the_compiler_the_check_is_written_and_the_model_for_the_cpu_stands(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = source.read_bytes()
    with pytest.raises(CompilerUnavailable, match=COMMAND):
        build_edgetpu(source)
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{NAME}-edgetpu.json", f"{NAME}.tflite"]
    report = json.loads((tmp_path / f"{NAME}-edgetpu.json").read_text())
    assert report["check"]["mapped"] > 0
    assert "compiler" not in report


def test_a_model_of_which_nothing_was_mapped_is_not_delivered(source: Path, install_compiler: Install) -> None:
    """The compiler calls that a success and writes the model as it was."""
    install_compiler(f'$FAKE "$@" && cp {bundled_models()[NAME]} model_edgetpu.tflite')
    with pytest.raises(CompilationFailed, match="mapped none of the operators"):
        build_edgetpu(source)
    assert not source.with_name(f"{NAME}-edgetpu.tflite").exists()


def test_a_model_with_other_outputs_is_not_delivered(source: Path, install_compiler: Install) -> None:
    """As when the file of another run lies where the compiler writes."""
    install_compiler(f'cp {bundled_models()["mobilenet-int8"]} model.tflite; $FAKE "$@"')
    with pytest.raises(CompilationFailed, match="no input or output"):
        build_edgetpu(source)
    assert not source.with_name(f"{NAME}-edgetpu.tflite").exists()


def test_an_older_twin_is_replaced_only_on_request(built: Path, source: Path) -> None:
    built.write_bytes(b"older")
    with pytest.raises(OutputUnavailable, match="is there already"):
        build_edgetpu(source)
    assert built.read_bytes() == b"older"
    assert build_edgetpu(source, force=True) == built
    assert open_bundle(str(built)).name == built.stem


def test_a_flatbuffer_without_its_card_is_refused(source: Path) -> None:
    source.write_bytes(source.read_bytes()[: open_bundle(str(source)).card["tflite"]["bytes"]])
    with pytest.raises(ModelDamaged, match="no whole card"):
        build_edgetpu(source)


@pytest.mark.usefixtures("fake_compiler")
def test_a_folder_that_cannot_be_written_to_is_said(source: Path) -> None:
    (source.parent / f"{NAME}-edgetpu.json").mkdir()
    with pytest.raises(OutputUnavailable):
        build_edgetpu(source)


def test_a_model_that_was_not_compiled_has_no_packages() -> None:
    model = read_compiled(bundled_models()[NAME].read_bytes())
    assert model.packages == ()
    assert model.min_runtime_version == 0
    assert "CONV_2D" in model.cpu


def test_an_edge_tpu_operator_with_a_damaged_package_is_refused(built: Path) -> None:
    content = built.read_bytes()
    assert content.count(b"DWN1") == 1
    with pytest.raises(ModelDamaged, match="no package that can be read"):
        read_compiled(content.replace(b"DWN1", b"DWN2"), built.name)


@pytest.fixture(scope="session")
def twin() -> bytes:
    """A small compiled model, as the fake compiler leaves it."""
    fake = runpy.run_path(str(Path(__file__).with_name("fake_edgetpu_compiler.py")))
    return fake["twin"](unpack(bundled_models()[NAME].read_bytes(), NAME))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_compiled_model_with_any_bytes_changed_raises_nothing_but_model_damaged(
    twin: bytes, data: st.DataObject
) -> None:
    content = bytearray(twin)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for read in (read_compiled, check):
        with suppress(ModelDamaged):
            read(bytes(content))


@shared
@pytest.mark.parametrize(
    ("name", "bytes_", "cached"),
    [
        ("mobilenet_v1_0.25_128_quant_edgetpu", 778_240, 566_912),
        ("mobilenet_v1_1.0_224_quant_embedding_extractor_edgetpu", 3_485_696, 3_363_072),
    ],
)
def test_the_real_compilers_models_say_what_they_hold(name: str, bytes_: int, cached: int) -> None:
    model = read_compiled((CORAL / f"{name}.tflite").read_bytes(), name)
    assert model.cpu == ()
    assert model.min_runtime_version == 12
    (package,) = model.packages
    assert (package.bytes, package.cached_bytes, package.streamed_bytes) == (bytes_, cached, 0)
    assert [(e.kind, e.chip) for e in package.executables] == [
        ("execution-only", "beagle"),
        ("parameter-caching", "beagle"),
    ]


@shared
@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor"])
def test_the_real_compilers_models_take_names_and_metadata_back_and_keep_their_program(name: str) -> None:
    original = (CORAL / f"{name}.tflite").read_bytes()
    compiled = (CORAL / f"{name}_edgetpu.tflite").read_bytes()
    restored = restore_names(compiled, original, name)
    (before,), (after,) = read_graph(compiled).operators, read_graph(restored).operators
    assert after.name == CUSTOM_OPERATOR
    assert after.custom_options == before.custom_options
    assert [t.name for t in after.tensors] == [t.name for t in before.tensors]
    kept = {entry.name: entry for entry in schema.ModelT.InitFromPackedBuf(restored, 0).metadata}
    assert set(kept) == {entry.name for entry in schema.ModelT.InitFromPackedBuf(original, 0).metadata}
    assert restore_names(restored, original, name) == restored
