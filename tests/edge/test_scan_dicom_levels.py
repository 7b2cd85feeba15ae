"""Stored values become grey by the file's window, or by the range of its bits; what a window cuts off is noted."""

from typing import Any

import numpy as np
import pytest
from fuzz.pictures import dicom_of
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing

from oct_edge.errors import UnsupportedPixels
from oct_edge.scan import Scan, decode_scan

RAMP = np.linspace(0, 4095, 64 * 16).astype(np.uint16).reshape(16, 64)
CLIPPED = ("window_clipped",)


def scan_of(values: np.ndarray, **elements: Any) -> Scan:
    return decode_scan(dicom_of([values], **elements), "scan.dcm")


def oracle(values: np.ndarray, **elements: Any) -> np.ndarray:
    """pydicom's own rendering of rescale and window, from its output range to 0..255."""
    data = Dataset()
    data.BitsStored, data.PixelRepresentation, data.PhotometricInterpretation = 12, 0, "MONOCHROME2"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    shown = apply_windowing(apply_modality_lut(values, data), data)
    slope, intercept = float(elements.get("RescaleSlope", 1)), float(elements.get("RescaleIntercept", 0))
    low, high = intercept, 4095 * slope + intercept
    return (shown - low) / (high - low) * 255


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_without_a_window_the_range_of_the_bits_is_shown(bits: int) -> None:
    top = (1 << bits) - 1
    scan = scan_of(np.array([[0, top // 2, top]], np.uint16), BitsStored=bits)
    assert (scan.pixels.tolist(), scan.notes) == ([[0, 127, 255]], ())


def test_signed_values_are_shown_from_the_lowest_to_the_highest() -> None:
    scan = scan_of(np.array([[-32768, 0, 32767]], np.int16))
    assert scan.pixels.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 2048, "WindowWidth": 4096},
        {"WindowCenter": 1000, "WindowWidth": 500},
        {"WindowCenter": 1000, "WindowWidth": 500, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 500, "WindowWidth": 2000, "RescaleSlope": "0.5", "RescaleIntercept": "-100"},
    ],
    ids=str,
)
def test_a_window_is_applied_as_pydicom_applies_it(elements: dict[str, Any]) -> None:
    pixels = scan_of(RAMP, BitsStored=12, **elements).pixels
    assert np.abs(pixels - oracle(RAMP, **elements)).max() <= 0.51


def test_what_a_window_cuts_off_is_noted_and_only_then() -> None:
    narrow = {"WindowCenter": 1000, "WindowWidth": 500}
    assert scan_of(RAMP, BitsStored=12, **narrow).notes == CLIPPED
    assert scan_of(np.full((4, 4), 1000, np.uint16), BitsStored=12, **narrow).notes == ()
    assert scan_of(RAMP, BitsStored=12, WindowCenter=2048, WindowWidth=4096).notes == ()


def test_the_first_of_several_windows_counts() -> None:
    several = scan_of(RAMP, BitsStored=12, WindowCenter=[1000, 9], WindowWidth=[500, 9]).pixels
    np.testing.assert_array_equal(several, scan_of(RAMP, BitsStored=12, WindowCenter=1000, WindowWidth=500).pixels)


def test_a_window_for_all_frames_is_found_where_enhanced_files_have_it() -> None:
    window, shared = Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 1000, 500
    shared.FrameVOILUTSequence = [window]
    inside = scan_of(RAMP, BitsStored=12, SharedFunctionalGroupsSequence=[shared]).pixels
    np.testing.assert_array_equal(inside, scan_of(RAMP, BitsStored=12, WindowCenter=1000, WindowWidth=500).pixels)


def test_monochrome1_with_a_window_is_the_inverse_of_monochrome2() -> None:
    elements = {"BitsStored": 12, "WindowCenter": 1000, "WindowWidth": 500}
    dark = scan_of(RAMP, PhotometricInterpretation="MONOCHROME1", **elements)
    bright = scan_of(RAMP, **elements)
    assert np.abs(dark.pixels.astype(int) + bright.pixels - 255).max() <= 1
    assert dark.notes == CLIPPED


def test_a_slope_below_zero_makes_more_darker() -> None:
    scan = scan_of(np.array([[0, 4095]], np.uint16), BitsStored=12, RescaleSlope="-1", RescaleIntercept="4095")
    assert scan.pixels.tolist() == [[255, 0]]


@pytest.mark.parametrize("table", ["ModalityLUTSequence", "VOILUTSequence"])
def test_a_table_of_grey_values_is_refused_and_not_passed_over(table: str) -> None:
    entry = Dataset()
    entry.LUTDescriptor = [1, 0, 16]
    entry.LUTData = b"\0\0"
    with pytest.raises(UnsupportedPixels, match="LUT"):
        scan_of(RAMP, BitsStored=12, **{table: [entry]})
