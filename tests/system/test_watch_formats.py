"""`oct-edge watch` and what is no JPEG or PNG: single scans are graded whatever they are kept in, volumes are not."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.pictures import dicom_of, encoded
from PIL import Image

pytestmark = pytest.mark.system

SECRET = "DOE^JANE"


@pytest.fixture
def grey(samples: list[Path]) -> np.ndarray:
    return np.asarray(Image.open(samples[0]).convert("L"))


def test_single_scans_in_tiff_and_dicom_are_graded_like_any_other(
    daemon: Any, grey: np.ndarray, samples: list[Path]
) -> None:
    contents = {
        "a.jpeg": samples[0].read_bytes(),
        "b.tif": encoded(Image.fromarray(grey), "TIFF", compression="tiff_lzw"),
        "c.DCM": dicom_of([grey], ImageLaterality="L", PatientName=SECRET),
        "d.png": dicom_of([grey]),
    }
    for name, content in contents.items():
        (daemon.inbox / name).write_bytes(content)
    assert daemon.once() == 0
    answers = {answer["source"]["name"]: answer for answer in daemon.printed()}
    assert sorted(answers) == sorted(contents)
    assert len({str(answer["probabilities"]) for answer in answers.values()}) == 1
    assert {name: answer["source"]["laterality"] for name, answer in answers.items() if name == "c.DCM"} == {
        "c.DCM": "L"
    }
    assert "suffix_mismatch" in answers["d.png"]["notes"]
    assert "suffix_mismatch" not in answers["c.DCM"]["notes"]


def test_a_volume_is_rejected_with_what_to_do_and_names_nobody(daemon: Any, grey: np.ndarray) -> None:
    (daemon.inbox / "eye.dcm").write_bytes(dicom_of([grey, grey], PatientName=SECRET, PatientComments=SECRET))
    page = Image.fromarray(grey)
    (daemon.inbox / "eye.tiff").write_bytes(encoded(page, "TIFF", save_all=True, append_images=[page]))
    assert daemon.once() == 1
    answers = daemon.printed()
    assert [[reason["code"] for reason in answer["reasons"]] for answer in answers] == [["volume"], ["volume"]]
    assert all("oct-edge classify" in answer["reasons"][0]["hint"] for answer in answers)
    assert set(daemon.states().values()) == {"rejected"}
    for path in daemon.folder.rglob("*"):
        if path.is_file() and path.parent != daemon.inbox:
            assert b"DOE" not in path.read_bytes(), path


def test_dicom_that_comes_while_it_runs_is_graded_by_the_same_process(
    daemon: Any, grey: np.ndarray, samples: list[Path]
) -> None:
    daemon.start()
    (daemon.inbox / "a.jpeg").write_bytes(samples[0].read_bytes())
    daemon.until(daemon.printed)
    (daemon.inbox / "b.dcm").write_bytes(dicom_of([grey]))
    daemon.until(lambda: len(daemon.printed()) == 2)
    assert daemon.end(signal.SIGTERM) == 0
    assert [answer["status"] for answer in daemon.printed()] == ["classified", "classified"]
