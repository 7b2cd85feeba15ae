"""A volume's summary counts what its frames were answered, names the most suspicious, and refers nobody."""

import json
from pathlib import Path

import numpy as np
import pytest
from fuzz.pictures import dicom_of, grey_page, tiff_of
from jsonschema import Draft202012Validator
from PIL import Image

from oct_edge.classifier import Classifier
from oct_edge.gate.gate import SYNTHETIC
from oct_edge.labels import DISCLAIMER, LABELS
from oct_edge.result import Result
from oct_edge.volume import Volume, answers, json_schema

VALIDATOR = Draft202012Validator(json_schema())


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


@pytest.fixture
def answered(classifier: Classifier, samples: list[Path], tmp_path: Path) -> list[Result | Volume]:
    """Three frames in DICOM: two phantoms of different classes, and the first again."""
    frames = [grey(samples[0]), grey(samples[-1]), grey(samples[0])]
    (tmp_path / "eye.dcm").write_bytes(dicom_of(frames, ImageLaterality="R"))
    return list(answers(classifier, tmp_path / "eye.dcm"))


def test_each_frame_has_its_answer_and_the_summary_comes_last(answered: list[Result | Volume]) -> None:
    *results, volume = answered
    assert isinstance(volume, Volume)
    assert [r.source.frame for r in results if isinstance(r, Result)] == [1, 2, 3]
    assert {r.source.laterality for r in results} == {"R"}
    assert len({r.source.sha256 for r in results} | {volume.source.sha256}) == 1


def test_a_frame_is_answered_as_the_same_picture_in_a_file_of_its_own(
    classifier: Classifier, answered: list[Result | Volume], samples: list[Path], tmp_path: Path
) -> None:
    Image.fromarray(grey(samples[-1])).save(tmp_path / "single.png")
    (single,) = answers(classifier, tmp_path / "single.png")
    frame = answered[1]
    assert isinstance(single, Result)
    assert isinstance(frame, Result)
    assert (single.probabilities, single.label, single.source.frame) == (frame.probabilities, frame.label, None)


def test_the_summary_counts_and_names_the_most_suspicious_frame(answered: list[Result | Volume]) -> None:
    *results, volume = answered
    assert isinstance(volume, Volume)
    labels = [r.label for r in results if isinstance(r, Result)]
    urgent = [r.referral.p_urgent for r in results if isinstance(r, Result) and r.referral]
    assert volume.labels == {label: labels.count(label) for label in LABELS}
    assert volume.statuses == {"classified": 3, "ungradable": 0, "rejected": 0}
    assert volume.highest is not None
    assert volume.highest.p_urgent == max(urgent)
    assert volume.highest.frame == urgent.index(max(urgent)) + 1


def test_the_summary_is_of_its_schema_and_refers_nobody(answered: list[Result | Volume]) -> None:
    line = answered[-1].to_json()
    content = json.loads(line)
    VALIDATOR.validate(content)
    assert line.isascii()
    assert content["schema"] == "oct-edge/volume@1"
    assert content["referral"] == {"group": None, "basis": "not validated"}
    assert (content["source"]["laterality"], content["disclaimer"]) == ("R", DISCLAIMER)


@pytest.mark.parametrize("broken", [{"referral": {"group": "urgent", "basis": "not validated"}}, {"frames": "3"}])
def test_the_schema_holds_what_the_summary_promises(answered: list[Result | Volume], broken: dict) -> None:
    assert not VALIDATOR.is_valid(json.loads(answered[-1].to_json()) | broken)


def test_a_frame_that_is_damaged_is_rejected_and_the_others_are_answered(
    classifier: Classifier, samples: list[Path], tmp_path: Path
) -> None:
    page = grey_page(grey(samples[0]))
    broken = ({**page[0], 259: 5}, b"\xff" * 40)
    (tmp_path / "eye.tif").write_bytes(tiff_of([page, broken, page]))
    *results, volume = answers(classifier, tmp_path / "eye.tif")
    assert [r.status for r in results if isinstance(r, Result)] == ["classified", "rejected", "classified"]
    assert isinstance(volume, Volume)
    assert (results[1].source.frame, volume.statuses["rejected"]) == (2, 1)


def test_a_volume_without_an_answer_has_no_suspicious_frame(classifier: Classifier, tmp_path: Path) -> None:
    page = grey_page(np.zeros((8, 8), np.uint8), t259=7)
    (tmp_path / "eye.tif").write_bytes(tiff_of([page, page]))
    volume = list(answers(classifier, tmp_path / "eye.tif"))[-1]
    assert isinstance(volume, Volume)
    assert (volume.highest, volume.statuses["rejected"]) == (None, 2)
    VALIDATOR.validate(json.loads(volume.to_json()))
    assert "2 rejected" in volume.text()


def test_notes_are_those_of_the_file_and_of_any_frame(
    classifier: Classifier, samples: list[Path], tmp_path: Path
) -> None:
    frames = [grey(samples[0]), grey(samples[0]) // 4]
    data = dicom_of(frames, WindowCenter=64, WindowWidth=129, BurnedInAnnotation="YES")
    (tmp_path / "eye.tif").write_bytes(data)
    first, second, volume = (
        {note for note in answer.notes if note != SYNTHETIC} for answer in answers(classifier, tmp_path / "eye.tif")
    )
    assert first - second == {"window_clipped"}
    assert second >= {"suffix_mismatch", "burned_in_annotation"}
    assert volume == first | second


def test_frames_are_decoded_one_at_a_time(classifier: Classifier, samples: list[Path], tmp_path: Path) -> None:
    page = grey_page(grey(samples[0]))
    (tmp_path / "eye.tif").write_bytes(tiff_of([page, ({**page[0], 259: 7}, b"")]))
    first = next(iter(answers(classifier, tmp_path / "eye.tif")))
    assert isinstance(first, Result)
    assert first.status == "classified"
