"""What no model has to be asked about: size, shape, blankness, white, and a picture that is torn."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.gate.pixels import PixelLimits, check_pixels, largest_seam
from oct_edge.scan import read_scan

LIMITS = PixelLimits()
Retina = Callable[..., np.ndarray]


def code(pixels: np.ndarray) -> str | None:
    reason = check_pixels(np.ascontiguousarray(pixels), LIMITS)
    return reason and reason.code


@pytest.fixture(scope="module")
def whole(samples: list[Path]) -> np.ndarray:
    return read_scan(samples[0]).pixels


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_a_sample_passes_whatever_it_was_saved_as(samples: list[Path]) -> None:
    for path in samples:
        pixels = read_scan(path).pixels
        assert [code(as_jpeg(pixels, quality)) for quality in (30, 50, 75, 95)] == [None] * 4
        assert code(pixels[:, ::-1]) is None


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (99, 512), (496, 99)])
def test_a_picture_that_is_too_small_is_said_to_be(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, shape, np.uint8)
    reason = check_pixels(pixels, LIMITS)
    assert reason is not None
    assert reason.code == "too_small"
    assert f"{shape[1]} x {shape[0]}" in reason.message


@pytest.mark.parametrize(
    ("width", "expected"), [(248, None), (247, "wrong_aspect"), (2480, None), (2481, "wrong_aspect")]
)
def test_a_shape_that_no_scan_has_is_refused(whole: np.ndarray, width: int, expected: str | None) -> None:
    assert code(np.tile(whole, 5)[:, :width]) == expected


def test_a_picture_of_20000_x_20_is_too_small() -> None:
    assert code(np.zeros((20, 20000), np.uint8)) == "too_small"


@pytest.mark.parametrize("level", [0, 20, 128, 255])
def test_a_blank_picture_is_blank(level: int) -> None:
    assert code(np.full((496, 512), level, np.uint8)) == "blank"


def test_a_picture_of_two_levels_is_blank_whatever_they_are(whole: np.ndarray) -> None:
    assert code(np.where(whole > 60, 240, 10).astype(np.uint8)) == "blank"


def test_hardly_any_contrast_is_blank(whole: np.ndarray) -> None:
    assert code(100 + whole // 10) == "blank"


def test_white_in_the_middle_is_saturation_and_white_from_an_edge_is_a_border(whole: np.ndarray) -> None:
    inside, border = whole.copy(), whole.copy()
    inside[150:300, 100:400] = 255
    border[:, :120] = 255
    assert code(inside) == "saturated"
    assert code(border) is None


@pytest.mark.parametrize("row", [80, 248, 400])
def test_a_jump_of_brightness_at_a_row_of_blocks_is_a_torn_picture(whole: np.ndarray, row: int) -> None:
    torn = whole.copy()
    torn[row:] = np.clip(torn[row:].astype(int) + 40, 0, 245)
    reason = check_pixels(torn, LIMITS)
    assert reason is not None
    assert (reason.code, f"row {row}:" in reason.message) == ("torn", True)
    assert largest_seam(torn)[1] == row


def test_rows_of_blocks_that_are_shifted_sideways_are_a_torn_picture(retina: Retina) -> None:
    pixels = retina() + np.random.default_rng(0).integers(0, 30, (496, 512), np.uint8)
    torn = pixels.copy()
    torn[248:] = np.roll(pixels[248:], 200, axis=1) // 2
    assert (code(pixels), code(torn)) == (None, "torn")


def test_borders_and_wedges_are_no_seam(whole: np.ndarray) -> None:
    for top in (16, 20, 24):
        bordered = whole.copy()
        bordered[:top] = 255
        bordered[np.tril_indices(496, -300, 512)] = 255
        assert code(bordered) is None


def test_real_scans_pass(real: list[np.ndarray]) -> None:
    codes = [code(pixels) for pixels in real]
    assert len(codes) > 60
    assert codes.count(None) >= 0.98 * len(codes)
