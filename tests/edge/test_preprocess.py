"""The one way from a scan to a tensor: no borders, a window on the retina, stretched, antialiased, grey three times."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oct_edge.preprocess import RINGING, SIZE, expand, retina_window, to_grey, to_tensor, without_borders
from oct_edge.scan import Scan, read_scan

SPECTRALIS = [(496, 512), (496, 768), (496, 1024), (496, 1536), (512, 512)]


def scan_of(pixels: np.ndarray) -> Scan:
    return Scan(pixels.astype(np.uint8), "", "drawn")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


def retina(centre: float, *, height: int = 496, width: int = 512, thickness: float = 40) -> np.ndarray:
    """A bright band across a dark picture, with layers in it, `centre` rows from the top."""
    rows, columns = np.mgrid[0:height, 0:width]
    depth = (rows - centre - 10 * np.sin(columns / width * 6)) / thickness
    return (20 + 160 * np.exp(-(depth**2)) * (1 + 0.3 * np.sin(depth * 12))).astype(np.uint8)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean, in grey levels, of the difference between what the network sees of two pictures."""
    return float(np.abs(to_grey(scan_of(one)).astype(int) - to_grey(scan_of(other))).mean())


@pytest.mark.parametrize("shape", [*SPECTRALIS, (1, 1), (1, 900), (900, 1), (3, 2000), (SIZE, SIZE)])
def test_every_scan_becomes_the_tensor_of_the_contract(shape: tuple[int, int]) -> None:
    tensor = to_tensor(scan_of(noise(*shape)))
    assert (tensor.shape, tensor.dtype) == ((1, SIZE, SIZE, 3), np.uint8)
    assert tensor.flags.c_contiguous
    assert (tensor == tensor[..., :1]).all()


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    values=st.sampled_from([(0, 1), (255, 256), (250, 256), (0, 256), (0, 3)]),
    seed=st.integers(0, 9),
)
def test_the_window_lies_in_the_picture_whatever_it_shows(height: int, width: int, values: tuple, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(*values, (height, width), np.uint8)
    top, bottom = retina_window(without_borders(pixels))
    assert 0 <= top < bottom <= height + 1e-9
    assert bottom - top >= height / 2 - 1e-9
    assert to_grey(scan_of(pixels)).shape == (SIZE, SIZE)


def test_a_blank_picture_is_shown_whole() -> None:
    for value in (0, 7, 249):
        assert retina_window(np.full((60, 40), value, np.uint8)) == (0, 60)
        assert (to_grey(scan_of(np.full((60, 40), value))) == value).all()


def test_a_white_picture_is_all_border() -> None:
    assert not to_grey(scan_of(np.full((60, 40), 255))).any()


@pytest.mark.parametrize("centre", [130, 200, 248, 300, 370])
def test_the_window_follows_the_retina(centre: int) -> None:
    top, bottom = retina_window(retina(centre))
    assert bottom - top == pytest.approx(248)
    assert (top + bottom) / 2 == pytest.approx(centre, abs=5)
    assert difference(retina(centre), retina(248)) < 4


@pytest.mark.parametrize("centre", [20, 476])
def test_the_window_stays_inside_where_the_retina_is_at_an_edge(centre: int) -> None:
    top, bottom = retina_window(retina(centre))
    assert (top, bottom) == (pytest.approx(0), pytest.approx(248)) if centre == 20 else (248, 496)


def test_a_retina_that_needs_more_room_gets_it() -> None:
    rows, columns = np.mgrid[0:496, 0:512]
    steep = np.where(np.abs(rows - (60 + columns * 0.7)) < 25, 180, 15).astype(np.uint8)
    top, bottom = retina_window(steep)
    assert bottom - top > 380


def wedges(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    up, left = rows / shape[0], columns / shape[1]
    return {
        "above": up < 0.1 * left,
        "below": 1 - up < 0.15 * (1 - left),
        "left": left < 0.05 * up,
        "right": 1 - left < 0.04,
        "around": (up < 0.03) | (up > 0.97) | (left < 0.03) | (left > 0.97),
    }


@pytest.mark.parametrize("place", ["above", "below", "left", "right", "around"])
def test_the_white_of_registration_vanishes_and_the_retina_stays(place: str) -> None:
    plain = retina(248)
    wedge = wedges(plain.shape)[place]
    cleaned = without_borders(np.where(wedge, np.uint8(255), plain))
    assert not cleaned[wedge].any()
    changed = cleaned != plain
    assert (changed & ~wedge).sum() <= RINGING * 2 * sum(plain.shape)
    assert difference(np.where(wedge, np.uint8(0), plain), np.where(wedge, np.uint8(255), plain)) < 2


def test_white_inside_the_picture_is_kept() -> None:
    pixels = retina(248)
    pixels[240:250, 100:200] = 255
    np.testing.assert_array_equal(without_borders(pixels), pixels)


def test_a_white_line_that_touches_the_side_is_lost_where_it_is_white_only() -> None:
    pixels = retina(248)
    pixels[240:244, :60] = 255
    cleaned = without_borders(pixels)
    assert (cleaned != pixels).sum() <= 4 * (60 + RINGING)


def test_fine_detail_is_averaged_and_not_sampled() -> None:
    stripes = scan_of(np.tile([0, 200], (496, 512)))
    plain = np.asarray(Image.fromarray(stripes.pixels).resize((SIZE, SIZE), Image.Resampling.NEAREST))
    assert plain.std() > 80
    assert to_grey(stripes).std() < 10


@pytest.mark.parametrize("shape", SPECTRALIS[1:4])
def test_a_retina_exported_with_more_columns_gives_nearly_the_same_tensor(shape: tuple[int, int]) -> None:
    wide = Image.fromarray(retina(220)).resize(shape[::-1], Image.Resampling.BICUBIC)
    assert difference(np.asarray(wide), retina(220)) < 1


def test_a_view_into_a_volume_gives_the_tensor_of_its_copy() -> None:
    view = noise(992, 1024)[::2, ::-2]
    np.testing.assert_array_equal(to_tensor(scan_of(view)), to_tensor(scan_of(view.copy())))


def test_a_tensor_is_the_expanded_grey_and_no_window_onto_the_scan() -> None:
    scan = scan_of(noise(SIZE, SIZE))
    tensor = to_tensor(scan)
    np.testing.assert_array_equal(tensor, expand(to_grey(scan)))
    assert not np.shares_memory(tensor, scan.pixels)


def test_on_real_scans_the_window_holds_nearly_all_the_light(oct2017: Path) -> None:
    kept = []
    for path in sorted((oct2017 / "test").glob("*/*.jpeg")):
        pixels = without_borders(read_scan(path).pixels)
        top, bottom = retina_window(pixels)
        bright = np.maximum(pixels.astype(int) - 80, 0).sum(1)
        kept.append(bright[int(top) : round(bottom)].sum() / bright.sum())
    assert len(kept) == 129
    assert np.median(kept) > 0.98
    assert np.quantile(kept, 0.02) > 0.9
