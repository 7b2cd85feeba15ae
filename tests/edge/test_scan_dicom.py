"""DICOM: what says that it is OCT is read frame by frame, by a stated rule; anything else is refused with its code."""

import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.pictures import GREY, NATIVE, VALUES, dicom_of, encoded
from PIL import Image
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    VLPhotographicImageStorage,
)

from oct_edge.errors import MissingExtra, ScanDamaged, ScanError, ScanIsVolume, UnsupportedCompression
from oct_edge.scan import MAX_FRAMES, decode_scan, open_frames

DEEP = VALUES.astype(np.uint16) * 257
COLOURS = np.repeat(VALUES[..., None], 3, axis=2)


def code_of(data: bytes, name: str = "scan.dcm") -> str:
    with pytest.raises(ScanError) as caught:
        open_frames(data, name).scan(1)
    assert name in caught.value.message
    assert caught.value.hint
    return caught.value.code


def grey_of(data: bytes) -> np.ndarray:
    return decode_scan(data, "scan.dcm").pixels


@pytest.mark.parametrize("values", [VALUES, DEEP], ids=["8", "16"])
@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_grey_values_are_kept_in_every_lossless_syntax(syntax: str, values: np.ndarray) -> None:
    frames = open_frames(dicom_of([values, values[::-1]], syntax), "volume.dcm")
    assert (len(frames), list(frames.numbers)) == (2, [1, 2])
    for number in (1, 2, 2, 1):
        expected = VALUES if number == 1 else VALUES[::-1]
        np.testing.assert_array_equal(frames.scan(number).pixels, expected)
    assert (frames.scan(2).frame, frames.scan(2).notes) == (2, ())


def test_big_endian_is_read_where_it_says_which_byte_is_which() -> None:
    data = dicom_of([DEEP.astype(">u2")], ExplicitVRBigEndian)
    np.testing.assert_array_equal(grey_of(data), VALUES)


def test_baseline_jpeg_is_read_as_a_jpeg_is() -> None:
    pixels = grey_of(dicom_of([VALUES], JPEGBaseline8Bit))
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(BytesIO(encoded(GREY, "JPEG", quality=95)))))


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_grey_stored_as_colour_stays_grey(syntax: str) -> None:
    np.testing.assert_array_equal(grey_of(dicom_of([COLOURS], syntax)), VALUES)


def test_colour_by_planes_is_read_as_colour_by_pixels_is() -> None:
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).reshape(COLOURS.shape)
    np.testing.assert_array_equal(grey_of(dicom_of([planes], PlanarConfiguration=1)), VALUES)


def test_a_coloured_picture_is_no_b_scan() -> None:
    colours = np.stack([VALUES, VALUES[::-1], 255 - VALUES], axis=-1)
    assert code_of(dicom_of([colours])) == "unsupported_pixels"


def test_monochrome1_is_inverted_back() -> None:
    data = dicom_of([255 - VALUES], PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(grey_of(data), VALUES)


@pytest.mark.parametrize(
    ("said", "laterality"),
    [
        ({}, None),
        ({"ImageLaterality": "R"}, "R"),
        ({"ImageLaterality": "L", "Laterality": "L"}, "L"),
        ({"Laterality": "L"}, "L"),
        ({"ImageLaterality": "", "Laterality": "R"}, "R"),
        ({"ImageLaterality": "B"}, None),
        ({"ImageLaterality": "R", "Laterality": "L"}, None),
        ({"Laterality": "OD"}, None),
    ],
)
def test_laterality_is_carried_and_never_guessed(said: dict[str, str], laterality: str | None) -> None:
    assert decode_scan(dicom_of([VALUES], **said), "OD_right.dcm").laterality == laterality


@pytest.mark.parametrize(
    ("modality", "sop_class"),
    [
        ("OPT", "1.2.840.10008.5.1.4.1.1.77.1.5.4"),
        ("OPT", SecondaryCaptureImageStorage),
        ("OT", SecondaryCaptureImageStorage),
        ("OT", MultiFrameGrayscaleByteSecondaryCaptureImageStorage),
    ],
)
def test_what_says_that_it_is_oct_or_a_capture_of_anything_is_read(modality: str, sop_class: str) -> None:
    assert grey_of(dicom_of([VALUES], Modality=modality, SOPClassUID=sop_class)).shape == VALUES.shape


@pytest.mark.parametrize(
    "elements",
    [
        *({"Modality": modality} for modality in ("OP", "XC", "CT", "MR", "US", "OPTENF", "OPTBSV", "IVOCT", "")),
        {"Modality": None},
        {"Modality": "OT"},
        {"Modality": "OT", "SOPClassUID": VLPhotographicImageStorage},
        {"Modality": "OT", "SOPClassUID": SecondaryCaptureImageStorage + "9"},
        {"SOPClassUID": EncapsulatedPDFStorage, "PixelData": None},
    ],
    ids=str,
)
def test_another_modality_is_refused_by_what_it_says(elements: dict[str, Any]) -> None:
    assert code_of(dicom_of([VALUES], **elements)) == "other_modality"


def test_files_of_other_modalities_are_refused(dicom_not_oct: Path) -> None:
    paths = sorted(dicom_not_oct.glob("*.dcm"))
    assert len(paths) == 7
    assert {code_of(path.read_bytes(), path.name) for path in paths} == {"other_modality"}


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        ({"Rows": 31}, "damaged_image"),
        ({"Columns": 4800}, "damaged_image"),
        ({"Rows": 0}, "damaged_image"),
        ({"NumberOfFrames": 2}, "damaged_image"),
        ({"NumberOfFrames": MAX_FRAMES + 1}, "too_large"),
        ({"Rows": 65_000, "Columns": 65_000}, "too_large"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "unsupported_pixels"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 2}, "unsupported_pixels"),
        ({"BitsAllocated": 32}, "unsupported_pixels"),
        ({"BitsStored": 9}, "unsupported_pixels"),
        ({"HighBit": 3}, "unsupported_pixels"),
        ({"RescaleSlope": "0"}, "unsupported_pixels"),
        ({"WindowCenter": "100", "WindowWidth": "0"}, "unsupported_pixels"),
        ({"WindowCenter": "100", "WindowWidth": "50", "VOILUTFunction": "SIGMOID"}, "unsupported_pixels"),
    ],
    ids=str,
)
def test_what_contradicts_itself_or_has_no_defined_grey_values_is_refused(elements: dict[str, Any], code: str) -> None:
    assert code_of(dicom_of([VALUES], **elements)) == code


@pytest.mark.parametrize(("syntax", "name"), [(JPEGLosslessSV1, "JPEG Lossless"), (JPEGLSLossless, "JPEG-LS")])
def test_a_code_without_a_decoder_is_named(syntax: str, name: str) -> None:
    with pytest.raises(UnsupportedCompression, match=name):
        decode_scan(dicom_of([VALUES], syntax), "scan.dcm")


def test_a_code_that_nobody_knows_is_refused() -> None:
    data = dicom_of([VALUES], JPEGLosslessSV1).replace(JPEGLosslessSV1.encode(), b"1.2.840.99999.1.2.4.70")
    with pytest.raises(UnsupportedCompression, match="private"):
        decode_scan(data, "scan.dcm")


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless, JPEGBaseline8Bit, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_a_cut_anywhere_is_refused(syntax: str) -> None:
    data = dicom_of([VALUES], syntax)
    whole = grey_of(data)
    for length in [*range(0, len(data), 7), *range(len(data) - 16, len(data))]:
        try:
            pixels = grey_of(data[:length])
        except ScanError:
            continue
        assert np.array_equal(pixels, whole), length


def test_a_file_without_its_mark_is_told_from_any_other() -> None:
    data = dicom_of([VALUES])
    with pytest.raises(ScanError, match="perhaps DICOM") as caught:
        decode_scan(data[132:], "scan.dcm")
    assert caught.value.code == "unsupported_format"


def test_a_frame_that_is_damaged_costs_no_other() -> None:
    data = bytearray(dicom_of([VALUES, VALUES, VALUES[::-1]], JPEGBaseline8Bit))
    first = data.index(b"\xff\xd8\xff")
    second = data.index(b"\xff\xd8\xff", first + 1)
    data[second + 200 : second + 500] = bytes(300)
    frames = open_frames(bytes(data), "volume.dcm")
    with pytest.raises(ScanDamaged):
        frames.scan(2)
    assert np.abs(frames.scan(3).pixels.astype(int) - VALUES[::-1]).mean() < 4
    assert np.abs(frames.scan(1).pixels.astype(int) - VALUES).mean() < 4


def test_a_frame_of_another_size_than_the_header_says_is_refused() -> None:
    for syntax in (JPEGBaseline8Bit, JPEG2000Lossless):
        assert code_of(dicom_of([VALUES], syntax, Rows=30)) == "damaged_image"


def test_fewer_frames_than_announced_are_damage_and_the_others_are_read() -> None:
    frames = open_frames(dicom_of([VALUES, VALUES], RLELossless, NumberOfFrames=3), "volume.dcm")
    assert len(frames) == 3
    with pytest.raises(ScanDamaged):
        frames.scan(3)


def test_a_volume_is_no_single_scan() -> None:
    with pytest.raises(ScanIsVolume, match="2 frames") as caught:
        decode_scan(dicom_of([VALUES, VALUES]), "volume.dcm")
    assert "oct-edge classify" in caught.value.hint


def test_text_burned_into_the_pixels_is_noted() -> None:
    assert decode_scan(dicom_of([VALUES], BurnedInAnnotation="YES"), "scan.dcm").notes == ("burned_in_annotation",)


def test_an_overlay_in_the_bits_above_is_left_out() -> None:
    values = DEEP >> 4
    data = dicom_of([values | 0x8000], BitsStored=12)
    np.testing.assert_array_equal(grey_of(data), np.round(values / 4095 * 255).astype(np.uint8))


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtra) as caught:
        decode_scan(bytes(128) + b"DICM", "scan.dcm")
    assert "oct-edge[dicom]" in caught.value.hint


def test_a_length_that_leaves_the_file_is_refused() -> None:
    data = bytearray(dicom_of([VALUES]))
    place = data.index(struct.pack("<HH", 0x7FE0, 0x0010)) + 8
    data[place : place + 4] = struct.pack("<I", 0x7FFFFFF0)
    assert code_of(bytes(data)) == "damaged_image"
