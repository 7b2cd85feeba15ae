"""A model is served only whole, unedited, and made for this version's classes and preprocessing."""

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.bundle import CARD, LABELS_FILE, Bundle, SameClass, open_bundle, pack, read_bundle
from oct_edge.errors import ModelDamaged, ModelError, ModelNotFound, ModelUnfit
from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.preprocess import SIZE
from oct_models import DEFAULT, bundled_models

FLATBUFFER = b"flatbuffer" * 100
Card = dict[str, Any]


@pytest.fixture
def card(bundle: Bundle) -> Card:
    return json.loads(json.dumps(bundle.card))


@pytest.fixture(scope="session")
def golden(bundle: Bundle) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(bundle.content)) as tail:
        return {name: tail.read(name) for name in tail.namelist() if name not in (CARD, LABELS_FILE)}


def flatbuffer_of(bundle: Bundle) -> bytes:
    return bundle.content[: bundle.card["tflite"]["bytes"]]


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_opens_with_all_that_a_decision_needs(name: str) -> None:
    bundle = open_bundle(name)
    assert bundle.name == name
    assert {g.grey.shape for g in bundle.golden} == {(SIZE, SIZE)}
    assert {g.logits.shape for g in bundle.golden} == {(len(LABELS),)}
    assert bundle.temperature > 0
    assert 0 < bundle.urgent_threshold <= 0.5
    assert 0 < bundle.min_confidence < 1
    assert bundle.card["disclaimer"] == DISCLAIMER


def test_a_model_is_opened_by_path_as_by_name(bundle: Bundle) -> None:
    assert open_bundle(str(bundled_models()[DEFAULT])).sha256 == bundle.sha256


def test_packing_the_parts_again_gives_the_same_bytes(bundle: Bundle, golden: dict[str, bytes]) -> None:
    content = pack(flatbuffer_of(bundle), bundle.card, golden)
    again = read_bundle(content, "packed")
    assert pack(flatbuffer_of(again), again.card, golden) == content


def test_other_readers_find_the_labels_undeflated_behind_the_model(card: Card, golden: dict[str, bytes]) -> None:
    with zipfile.ZipFile(BytesIO(pack(FLATBUFFER, card, golden))) as tail:
        assert tail.read(LABELS_FILE).decode().splitlines() == list(LABELS)
        assert {entry.compress_type for entry in tail.infolist()} == {zipfile.ZIP_STORED}


def test_what_was_packed_is_read_back(card: Card, golden: dict[str, bytes]) -> None:
    content = pack(FLATBUFFER, card | {"name": "mine", "temperature": 2.5}, golden)
    assert content.startswith(FLATBUFFER)
    bundle = read_bundle(content, "mine.tflite")
    assert (bundle.name, bundle.temperature, len(bundle.golden)) == ("mine", 2.5, len(LABELS))


@pytest.mark.parametrize("name", ["no-such-model", "/no/such/file.tflite", "", "/tmp"])
def test_what_is_neither_a_bundled_model_nor_a_file_is_not_found(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"neither a bundled model nor a readable file") as caught:
        open_bundle(name)
    assert "oct-edge models" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut in the model"),
        pytest.param(lambda content: content[:-1], id="cut in the card"),
        pytest.param(lambda content: content[1:], id="without its first byte"),
        pytest.param(lambda content: content[:5000] + b"\0edited\0" + content[5008:], id="edited weights"),
        pytest.param(lambda content: content.replace(b'"temperature": ', b'"temperature":-'), id="edited card"),
    ],
)
def test_a_cut_or_edited_model_is_damaged(bundle: Bundle, damage: Callable[[bytes], bytes]) -> None:
    damaged = damage(bundle.content)
    assert damaged != bundle.content
    with pytest.raises(ModelDamaged, match="usb-stick"):
        read_bundle(damaged, "usb-stick.tflite")


def test_a_tflite_file_of_other_people_has_no_card(coral: list[Path]) -> None:
    assert coral
    for path in coral:
        with pytest.raises(ModelDamaged, match="card"):
            open_bundle(str(path))


def test_a_flatbuffer_without_its_tail_has_no_card(bundle: Bundle) -> None:
    with pytest.raises(ModelDamaged, match="no whole card"):
        read_bundle(flatbuffer_of(bundle), "bare.tflite")


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["NORMAL", "CNV", "DME", "DRUSEN"]},
        {"classes": ["CNV", "DME", "DRUSEN"]},
        {"preprocessing": "crop-bicubic-299@1"},
        {"schema": "oct-edge/card@2"},
    ],
    ids=str,
)
def test_a_model_of_another_contract_is_unfit(card: Card, golden: dict[str, bytes], change: Card) -> None:
    with pytest.raises(ModelUnfit, match="this version"):
        read_bundle(pack(FLATBUFFER, card | change, golden), "other.tflite")


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": -1.1},
        {"temperature": 0},
        {"temperature": float("nan")},
        {"temperature": "warm"},
        {"operating_point": {}},
        {"operating_point": {"urgent_threshold": 0.99, "min_confidence": 0.5}},
        {"operating_point": {"urgent_threshold": float("nan"), "min_confidence": 0.5}},
        {"operating_point": {"urgent_threshold": 0.3, "min_confidence": 1.5}},
        {"golden": {"answers": [], "tolerance": {"litert": 5}}},
        {"golden_tolerance": {}},
        {"golden_tolerance": {"litert": -1}},
        {"golden_tolerance": {"edgetpu": {"class": False, "max_dp": 0.05}}},
        {"golden_tolerance": {"edgetpu": {"class": True, "max_dp": 0}}},
        {"golden_tolerance": {"edgetpu": {"class": True, "max_dp": float("nan")}}},
        {"golden_tolerance": {"edgetpu": {"max_dp": 0.05}}},
        {"golden": {"answers": [{"input": "golden/none.png", "logits": [0, 0, 0, 0]}], "tolerance": {"litert": 5}}},
        {"classes": None},
    ],
    ids=str,
)
def test_a_card_that_decides_nothing_sensible_is_damaged(card: Card, golden: dict[str, bytes], change: Card) -> None:
    if "golden_tolerance" in change:
        change = {"golden": card["golden"] | {"tolerance": change["golden_tolerance"]}}
    with pytest.raises(ModelDamaged, match="incomplete or damaged"):
        read_bundle(pack(FLATBUFFER, card | change, golden), "other.tflite")


def test_a_runtime_without_a_tolerance_gets_the_widest_that_counts_steps(card: Card, golden: dict[str, bytes]) -> None:
    def tolerances(**entries: object) -> Bundle:
        changed = card | {"golden": card["golden"] | {"tolerance": entries}}
        return read_bundle(pack(FLATBUFFER, changed, golden), "other.tflite")

    edgetpu = {"class": True, "max_dp": 0.05}
    mixed, alone = tolerances(litert=3, tflite=5, edgetpu=edgetpu), tolerances(edgetpu=edgetpu)
    assert [mixed.tolerance_on(kind) for kind in ("litert", "tflite", "new")] == [3, 5, 5]
    assert mixed.tolerance_on("edgetpu") == alone.tolerance_on("litert") == SameClass(0.05)


def test_a_card_that_is_no_object_is_damaged() -> None:
    buffer = BytesIO(FLATBUFFER)
    with zipfile.ZipFile(buffer, "a") as tail:
        tail.writestr(CARD, "[]")
    with pytest.raises(ModelDamaged):
        read_bundle(buffer.getvalue(), "list.tflite")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_tail_with_any_byte_changed_raises_nothing_but_model_errors(
    bundle: Bundle, golden: dict[str, bytes], data: st.DataObject
) -> None:
    """The flatbuffer is left out: its digest is what the other tests are about, and hashing it takes the time."""
    content = bytearray(pack(FLATBUFFER, bundle.card, golden))
    near_end = data.draw(st.booleans())
    position = data.draw(st.integers(len(content) - 600 if near_end else len(FLATBUFFER), len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    with suppress(ModelError):
        read_bundle(bytes(content), "changed.tflite")
