"""A DICOM file names a patient in a hundred places. None of it is in an answer, an error, a warning or a log."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from fuzz.pictures import NATIVE, VALUES, dicom_of
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, RLELossless

from oct_edge.errors import OctEdgeError
from oct_edge.scan import open_frames

SECRET = "DOE^JANE"
TEXTS = ("AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
OF_THE_PIXELS = {
    *("Modality", "SOPClassUID", "SOPInstanceUID", "PhotometricInterpretation", "NumberOfFrames"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept", "BurnedInAnnotation"),
    *("Laterality", "ImageLaterality", "SpecificCharacterSet"),
}


def named() -> Iterator[str]:
    """Keywords of every element of a data set that holds text, but for those that the pixels need."""
    for tag, (representation, *_) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if representation in TEXTS and tag >> 16 > 7 and keyword and keyword not in OF_THE_PIXELS:
            yield keyword


def written(values: dict[str, Any], syntax: str = NATIVE[0]) -> bytes:
    """A file with these values, whether they may be there or not."""
    data = pydicom.dcmread(BytesIO(dicom_of([VALUES, VALUES], syntax)))
    for keyword, value in values.items():
        with pydicom.config.disable_value_validation():
            setattr(data, keyword, value)
    buffer = BytesIO()
    with pydicom.config.disable_value_validation():
        data.save_as(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def filled() -> dict[str, str]:
    every = dict.fromkeys(named(), SECRET)
    assert len(every) > 1000
    assert {"PatientName", "PatientID", "InstitutionName", "ImageComments"} <= set(every)
    return every


def said_of(data: bytes) -> str:
    """Everything that comes out of the reader, but for the pixels."""
    try:
        frames = open_frames(data, "scan.dcm")
        scan = frames.scan(1)
    except OctEdgeError as error:
        return f"{error.messages()} {error.hint} {error.__cause__!r}"
    return repr([value for value in vars(scan).values() if not isinstance(value, np.ndarray)])


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless, JPEGBaseline8Bit, JPEG2000Lossless, JPEGLosslessSV1])
def test_no_text_of_the_file_is_said(
    syntax: str, filled: dict[str, str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    data = written(filled, syntax)
    caplog.clear()
    whole = said_of(data)
    said = [whole, *(said_of(data[: len(data) * share // 10]) for share in range(1, 10))]
    assert "DOE" not in " ".join(said) + caplog.text + repr(capfd.readouterr())
    assert "'scan.dcm'" in whole or "JPEG Lossless" in whole


@pytest.mark.parametrize("keyword", sorted(OF_THE_PIXELS | {"StudyDate", "PatientAge", "AccessionNumber"}))
@pytest.mark.filterwarnings("ignore")
def test_no_text_is_said_where_a_code_or_a_number_belongs(
    keyword: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oct_edge")
    placed = dicom_of([VALUES, VALUES], **{keyword: "1"}) if keyword != "SpecificCharacterSet" else dicom_of([VALUES])
    data = pydicom.dcmread(BytesIO(placed))
    element = data.get_item(keyword) or pydicom.DataElement(keyword, "LO", "x")
    raw = pydicom.dataelem.RawDataElement(
        element.tag, pydicom.datadict.dictionary_VR(element.tag), 8, SECRET.encode(), 0, False, True
    )
    data._dict[element.tag] = raw
    buffer = BytesIO()
    data.save_as(buffer)
    assert SECRET.encode() in buffer.getvalue()
    caplog.clear()
    capfd.readouterr()
    assert "DOE" not in said_of(buffer.getvalue()) + caplog.text + repr(capfd.readouterr())


def test_no_text_is_in_an_answer_or_on_a_terminal(filled: dict[str, str], tmp_path: Path) -> None:
    whole = written(filled)
    (tmp_path / "whole.dcm").write_bytes(whole)
    (tmp_path / "cut.dcm").write_bytes(whole[:-100])
    (tmp_path / "other.dcm").write_bytes(written(filled | {"Modality": "OP"}))
    command = [sys.executable, "-W", "always", "-m", "oct_edge.cli", "--debug", "classify", str(tmp_path)]
    for form in ([], ["--json"]):
        done = subprocess.run([*command, *form], capture_output=True, text=True, env=os.environ)
        assert done.returncode == 1
        assert "DOE" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["status"] == "rejected" if "status" in answer else None for answer in answers] == [
        *(True, True, False, False, None),
    ]
