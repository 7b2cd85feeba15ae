"""TIFF keeps its grey values in every kind of page that has defined ones; everything else is refused before libtiff."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from fuzz.pictures import GREY, VALUES, encoded, grey_page, tiff_of
from PIL import Image

from oct_edge.errors import ScanDamaged, ScanError
from oct_edge.scan import MAX_FRAMES, decode_scan, open_frames

DEEP = VALUES.astype(np.uint16) * 257
COLOUR = Image.merge("RGB", [GREY, GREY.transpose(Image.Transpose.ROTATE_180), GREY.point(lambda v: 255 - v)])


def code_of(data: bytes) -> str:
    with pytest.raises(ScanError) as caught:
        open_frames(data, "scan.tif").scan(1)
    assert "scan.tif" in caught.value.message
    assert caught.value.hint
    return caught.value.code


def tiff(image: Image.Image, **options: object) -> bytes:
    return encoded(image, "TIFF", **options)


def chain(count: int) -> bytes:
    """So many pages of nothing."""
    return tiff_of([({256: 8, 257: 8}, b"")] * count)


@pytest.mark.parametrize("code", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "zstd"])
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_grey_picture_keeps_its_values_in_every_pixel_mode_and_compression(mode: str, code: str) -> None:
    image = Image.fromarray(DEEP) if mode == "I;16" else GREY.convert(mode)
    np.testing.assert_array_equal(decode_scan(tiff(image, compression=code), "scan.tif").pixels, VALUES)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize("values", [VALUES, DEEP], ids=["8", "16"])
def test_both_byte_orders_and_both_sizes_of_file_are_read(values: np.ndarray, big: bool, order: str) -> None:
    data = tiff_of([grey_page(values, order)], order=order, big=big)
    np.testing.assert_array_equal(decode_scan(data, "scan.tif").pixels, VALUES)


@pytest.mark.parametrize("values", [VALUES, DEEP], ids=["8", "16"])
def test_where_white_is_zero_the_picture_is_not_inverted(values: np.ndarray) -> None:
    data = tiff_of([grey_page(np.iinfo(values.dtype).max - values, t262=0)])
    np.testing.assert_array_equal(decode_scan(data, "scan.tif").pixels, VALUES)


def test_12_bits_are_scaled_by_their_range() -> None:
    values = np.array([[0, 2048], [4095, 1]], np.uint16)
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in values.tolist())
    page = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 277: 1, 278: 2}
    assert decode_scan(tiff_of([(page, packed)]), "scan.tif").pixels.tolist() == [[0, 128], [255, 0]]


def test_16_bits_of_colour_keep_their_grey() -> None:
    colours = np.repeat(DEEP[..., None], 3, axis=2)
    tags, _ = grey_page(DEEP, t258=(16, 16, 16), t262=2, t277=3)
    data = tiff_of([(tags, colours.tobytes())])
    np.testing.assert_array_equal(decode_scan(data, "scan.tif").pixels, VALUES)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_page_is_turned_as_its_orientation_says(orientation: int) -> None:
    pixels = decode_scan(tiff_of([grey_page(VALUES, t274=orientation)]), "scan.tif").pixels
    expected = {
        **{1: VALUES, 2: VALUES[:, ::-1], 3: VALUES[::-1, ::-1], 4: VALUES[::-1]},
        **{5: VALUES.T, 6: np.rot90(VALUES, -1), 7: VALUES[::-1, ::-1].T, 8: np.rot90(VALUES)},
    }
    np.testing.assert_array_equal(pixels, expected[orientation])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(tiff(GREY.convert("F")), "unsupported_pixels", id="floats"),
        pytest.param(tiff(GREY.convert("I")), "unsupported_pixels", id="32 bits"),
        pytest.param(tiff_of([grey_page(VALUES, t339=2)]), "unsupported_pixels", id="signed, 8 bits"),
        pytest.param(tiff_of([grey_page(DEEP, t339=2)]), "unsupported_pixels", id="signed, 16 bits"),
        pytest.param(tiff(GREY.convert("1")), "unsupported_pixels", id="bilevel"),
        pytest.param(tiff(GREY.convert("CMYK")), "unsupported_pixels", id="CMYK"),
        pytest.param(tiff(GREY.convert("RGB").convert("YCbCr")), "unsupported_pixels", id="YCbCr"),
        pytest.param(tiff(Image.new("LAB", (8, 8))), "unsupported_pixels", id="LAB"),
        pytest.param(tiff(COLOUR), "unsupported_pixels", id="colour"),
        pytest.param(tiff_of([grey_page(VALUES, t277=3)]), "unsupported_pixels", id="grey of three samples"),
        pytest.param(tiff(GREY, compression="jpeg"), "unsupported_compression", id="JPEG inside"),
        pytest.param(tiff(GREY, compression="lzma"), "unsupported_compression", id="LZMA"),
        pytest.param(tiff(GREY.convert("1"), compression="group4"), "unsupported_compression", id="fax"),
        pytest.param(tiff_of([grey_page(VALUES, t259=60_000)]), "unsupported_compression", id="unknown code"),
        pytest.param(tiff_of([grey_page(VALUES, t256=30_000, t257=30_000)]), "too_large", id="30000 x 30000"),
        pytest.param(tiff_of([grey_page(VALUES, t256=65_500, t257=1)]), "too_large", id="65500 x 1"),
        pytest.param(tiff_of([grey_page(VALUES, t256=0)]), "damaged_image", id="no width"),
        pytest.param(tiff_of([grey_page(VALUES, t254=1)]), "damaged_image", id="a thumbnail alone"),
        pytest.param(chain(MAX_FRAMES + 1), "too_large", id="too many pages"),
        pytest.param(b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000), "too_large", id="60000 tags"),
        pytest.param(b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8), "damaged_image", id="circle"),
        pytest.param(b"II*\0\0\0\0\0", "damaged_image", id="no page"),
        pytest.param(b"II*\0", "damaged_image", id="four bytes"),
        pytest.param(tiff_of([grey_page(VALUES)], order=">", big=True), "unsupported_format", id="big, other order"),
        pytest.param(tiff_of([grey_page(VALUES, t50000=(7,) * 2**20)] * 2), "too_large", id="a tag of 4 MiB"),
    ],
)
def test_what_has_no_defined_grey_values_is_refused_with_its_own_code(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_a_see_through_page_is_refused() -> None:
    image = GREY.convert("RGBA")
    image.putalpha(254)
    assert code_of(tiff(image)) == "unsupported_pixels"


@pytest.mark.parametrize("code", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "zstd"])
def test_a_cut_at_any_byte_is_refused_or_harmless(code: str, capfd: pytest.CaptureFixture) -> None:
    data = tiff(GREY, compression=code)
    for length in range(len(data)):
        try:
            pixels = decode_scan(data[:length], "cut.tif").pixels
        except ScanError:
            continue
        assert np.array_equal(pixels, VALUES), length
    assert capfd.readouterr() == ("", "")


def pages(*values: np.ndarray, **tags: object) -> Sequence[tuple[dict, bytes]]:
    return [grey_page(value, **tags) for value in values]


def test_a_page_is_a_frame_and_each_may_be_of_another_kind() -> None:
    data = tiff_of([*pages(VALUES, DEEP[::-1]), *pages(255 - VALUES, t262=0)])
    frames = open_frames(data, "volume.tif")
    assert (len(frames), list(frames.numbers), frames.is_volume) == (3, [1, 2, 3], True)
    for number in (2, 1, 3, 1):
        scan = frames.scan(number)
        assert (scan.frame, scan.name, scan.sha256) == (number, "volume.tif", frames.sha256)
        np.testing.assert_array_equal(scan.pixels, VALUES[::-1] if number == 2 else VALUES)


def test_smaller_copies_and_masks_are_no_frames() -> None:
    data = tiff_of([*pages(VALUES), *pages(VALUES[:8, :8], t254=1), *pages(VALUES, t254=4)])
    assert decode_scan(data, "scan.tif").pixels.shape == VALUES.shape


def test_a_page_that_is_damaged_costs_no_other() -> None:
    data = tiff_of([*pages(VALUES), ({**grey_page(VALUES)[0], 259: 5}, b"\xff" * 40), *pages(VALUES[::-1])])
    frames = open_frames(data, "volume.tif")
    with pytest.raises(ScanDamaged):
        frames.scan(2)
    np.testing.assert_array_equal(frames.scan(3).pixels, VALUES[::-1])
    np.testing.assert_array_equal(frames.scan(1).pixels, VALUES)
