"""One JSON object a scan, one a line: every real answer obeys the schema that the code prints."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from PIL import Image, ImageOps

from oct_edge.classifier import Classifier
from oct_edge.decision import decision_of
from oct_edge.errors import ScanDamaged
from oct_edge.labels import DISCLAIMER
from oct_edge.result import ModelIdentity, Result, Source, json_schema, rejected

VALIDATOR = Draft202012Validator(json_schema())
CONTRACT = {
    "": "schema time source status reasons notes label probabilities referral model overrides timing_ms disclaimer",
    "source": "name sha256 frame laterality",
    "probabilities": "CNV DME DRUSEN NORMAL",
    "referral": "group p_urgent threshold basis",
    "model": "name sha256 runtime delegate",
    "timing_ms": "decode inference total",
}
AWKWARD = ["a\nb.jpeg", "a\rb\x85c\u2028d.jpeg", "\x1b[2J.jpeg", '"\\\\.jpeg', "scan-😀-äß.jpeg", "\udcff\udcfe.jpeg"]


@pytest.fixture(scope="module")
def answer(classifier: Classifier, samples: list[Path]) -> Result:
    return classifier.classify_file(samples[0])


def named(name: str) -> Result:
    """A rejection in which the name occurs as the source's and in the message."""
    error = ScanDamaged(f"{name}: the picture ends early.")
    return rejected(error, Source(name, "0" * 64), ModelIdentity("model", "1" * 64, "litert 0"))


def test_every_answer_obeys_the_schema(classifier: Classifier, samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jpeg").touch()
    with Image.open(samples[-1]) as image:
        ImageOps.flip(image).save(tmp_path / "flipped.png")
        Image.linear_gradient("L").resize(image.size).save(tmp_path / "gradient.png")
        image.resize((60, 60)).save(tmp_path / "small.png")
        Image.new("L", image.size, 40).save(tmp_path / "blank.png")
    others = [
        tmp_path / name for name in ("empty.jpeg", "gone.jpeg", "flipped.png", "gradient.png", "small.png", "blank.png")
    ]
    prior = {"CNV": 0.1, "DME": 0.1, "DRUSEN": 0.2, "NORMAL": 0.6}
    strict = decision_of(classifier.bundle, threshold=0.97, strict=True, prior=prior)
    seen = set()
    for path in (*samples, *others, tmp_path):
        for one in (classifier, Classifier(classifier.bundle, classifier.runtime, strict)):
            content = json.loads(one.classify_file(path).to_json())
            VALIDATOR.validate(content)
            assert content["disclaimer"] == DISCLAIMER
            seen.add((content["status"], content["referral"] and content["referral"]["group"]))
            seen |= {reason["code"] for reason in content["reasons"]}
    groups = ("urgent", "routine", "observe", "human_review")
    assert seen >= {("rejected", None), ("ungradable", "human_review"), *(("classified", group) for group in groups)}
    assert seen >= {"low_confidence", "too_small", "blank", "upside_down", "not_oct", "empty_file", "not_found"}


def test_the_keys_stand_in_the_order_of_the_contract(answer: Result) -> None:
    content = json.loads(answer.to_json())
    for part, keys in CONTRACT.items():
        assert " ".join(content[part] if part else content) == keys


def test_a_rejection_has_all_keys_too_and_nulls_for_what_is_not_known() -> None:
    content = json.loads(named("scan.jpeg").to_json())
    VALIDATOR.validate(content)
    assert " ".join(content) == CONTRACT[""]
    assert {key for key, value in content.items() if value is None} == {
        "label",
        "probabilities",
        "referral",
        "timing_ms",
    }
    assert content["reasons"] == [
        {"code": "damaged_image", "message": "scan.jpeg: the picture ends early.", "hint": ScanDamaged.hint}
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "oct-edge/result@2"},
        {"status": "failed"},
        {"label": "GLAUCOMA"},
        {"disclaimer": "approved"},
        {"referral": {"group": "soon"}},
        {"extra": 1},
        {"source": None},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_no_result(answer: Result, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate(json.loads(answer.to_json()) | change)


def test_the_schema_is_itself_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_a_number_that_json_does_not_have_is_never_written(answer: Result) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        replace(answer, overrides={"temperature": float("nan")}).to_json()


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_a_name_never_breaks_the_line_or_its_encoding(name: str) -> None:
    line = named(name).to_json()
    assert line.splitlines() == [line]
    assert line.isascii()
    content = json.loads(line)
    VALIDATOR.validate(content)
    content["source"]["name"].encode()
    content["reasons"][0]["message"].encode()


@given(st.text())
def test_a_name_in_unicode_is_read_back_as_it_was(name: str) -> None:
    assert json.loads(named(name).to_json())["source"]["name"] == name


def test_a_byte_that_is_no_text_stays_visible_in_the_name() -> None:
    names = [json.loads(named(name).to_json())["source"]["name"] for name in ("\udcff.jpeg", "\udcfe.jpeg")]
    assert names == [r"\udcff.jpeg", r"\udcfe.jpeg"]
