"""The one way from a scan to a tensor: borders made black, a window on the retina, one size, grey three times over.

It is not idempotent, and promises not to be: a picture that has been through it is a scan of half the height, and the
window of that is half of it again. So what is preprocessed already, as a golden picture, goes through `expand` alone.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from oct_edge.bundle import Bundle
from oct_edge.preprocess import (
    RINGING,
    SHARE,
    SIZE,
    WHITE,
    expand,
    retina_window,
    to_grey,
    to_tensor,
    without_borders,
)
from oct_edge.scan import Scan, read_scan

SPECTRALIS = [(496, 512), (496, 768), (496, 1024), (496, 1536), (512, 512)]
ODD = [(1, 1), (1, 700), (700, 1), (2, 3), (3, 4000), (4000, 3), (SIZE, SIZE)]
HEIGHT, WIDTH = 496, 512


def scan_of(pixels: np.ndarray) -> Scan:
    return Scan(pixels.astype(np.uint8), "", "drawn")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


def retina(middle: float = 0.5, thickness: float = 0.2, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A curved band of layers, brighter towards its lower edge, before a dark background; shares are of the height."""
    depth, across = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    place = (depth - middle - 0.04 * np.cos(np.pi * across)) / thickness + 0.5
    layers = 90 + 90 * place + 30 * np.sin(12 * place) + 10 * np.sin(9 * across)
    return np.where((place >= 0) & (place <= 1), layers, 12).astype(np.uint8)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean of the absolute difference of two pictures, in grey levels."""
    return float(np.abs(one.astype(int) - other).mean())


def moved(pixels: np.ndarray, rows: int) -> np.ndarray:
    """The picture so many rows lower, with its own first or last row before it."""
    return np.take(pixels, np.arange(len(pixels)) - rows, axis=0, mode="clip")


# The contract


@pytest.mark.parametrize("shape", [*SPECTRALIS, *ODD])
def test_every_scan_becomes_the_tensor_of_the_contract(shape: tuple[int, int]) -> None:
    tensor = to_tensor(scan_of(noise(*shape)))
    assert (tensor.shape, tensor.dtype) == ((1, SIZE, SIZE, 3), np.uint8)
    assert tensor.flags.c_contiguous
    assert (tensor == tensor[..., :1]).all()


@settings(deadline=None)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.sampled_from([0, 1, 100, WHITE - 1, WHITE, 255]),
    )
)
def test_no_picture_is_too_strange(pixels: np.ndarray) -> None:
    top, bottom = retina_window(without_borders(pixels))
    assert 0 <= top < bottom <= len(pixels)
    assert bottom - top >= SHARE * len(pixels) - 1e-9
    assert to_grey(scan_of(pixels)).shape == (SIZE, SIZE)


@pytest.mark.parametrize("shape", [(1, 1_000_000), (1_000_000, 1), (3, 300_000), (300_000, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_of_extreme_aspect_is_only_stretched(shape: tuple[int, int], value: int) -> None:
    assert not to_grey(scan_of(np.full(shape, value))).any()


@pytest.mark.parametrize("shape", [*SPECTRALIS, *ODD])
def test_a_flat_picture_keeps_its_value_and_a_white_one_is_all_border(shape: tuple[int, int]) -> None:
    for value in (0, 1, 127, WHITE - 1):
        assert (to_grey(scan_of(np.full(shape, value))) == value).all()
    for value in (WHITE, 255):
        assert not to_grey(scan_of(np.full(shape, value))).any()


def test_a_view_into_a_volume_gives_the_tensor_of_its_copy() -> None:
    view = noise(992, 1024)[::2, ::-2]
    np.testing.assert_array_equal(to_tensor(scan_of(view)), to_tensor(scan_of(view.copy())))


def test_a_scan_is_left_as_it_was_and_may_be_read_only() -> None:
    pixels = retina()
    pixels[:40, :40] = 255
    pixels.flags.writeable = False
    before = pixels.copy()
    grey = to_grey(Scan(pixels, "", "drawn"))
    np.testing.assert_array_equal(pixels, before)
    assert not np.shares_memory(grey, pixels)


def test_a_tensor_is_the_expanded_grey(samples: list[Path]) -> None:
    scan = read_scan(samples[0])
    np.testing.assert_array_equal(to_tensor(scan), expand(to_grey(scan)))


def test_a_picture_of_the_networks_size_is_preprocessed_as_any_other(bundle: Bundle) -> None:
    golden = bundle.golden[0].grey
    assert golden.shape == (SIZE, SIZE)
    np.testing.assert_array_equal(expand(golden)[0, :, :, 0], golden)
    assert difference(to_grey(scan_of(golden)), golden) > 5


def test_fine_detail_is_averaged_and_not_sampled() -> None:
    stripes = scan_of(np.tile([0, WHITE - 10], (496, 512)))
    plain = np.asarray(Image.fromarray(stripes.pixels).resize((SIZE, SIZE), Image.Resampling.NEAREST))
    assert plain.std() > 100
    assert to_grey(stripes).std() < 10


# White wedges and borders


def wedge(width: int = 150, height: int = 60) -> np.ndarray:
    """Where a white triangle in the upper left corner is."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return rows / height + columns / width < 1


@pytest.mark.parametrize("down", [1, -1])
@pytest.mark.parametrize("across", [1, -1])
def test_a_wedge_in_any_corner_vanishes_with_its_ringing(down: int, across: int) -> None:
    inside = wedge()[::down, ::across]
    pixels = np.where(inside, np.uint8(255), retina(thickness=0.1))
    cleared = without_borders(pixels)
    assert not cleared[inside].any()
    beside = cleared != np.where(inside, 0, pixels)
    assert beside.sum() <= RINGING * (150 + 60) + RINGING**2
    assert difference(to_grey(scan_of(pixels)), to_grey(scan_of(np.where(inside, 0, pixels)))) < 0.1


def test_four_wedges_of_a_jpeg_leave_no_white_behind() -> None:
    inside = wedge(200, 50) | wedge(90, 100)[::-1] | wedge(150, 60)[:, ::-1] | wedge(60, 20)[::-1, ::-1]
    image = Image.fromarray(np.where(inside, np.uint8(255), retina(thickness=0.1) // 2))
    pixels = np.array(image)
    pixels[inside] -= noise(HEIGHT, WIDTH)[inside] % (256 - WHITE)
    assert without_borders(pixels).max() < 160


def test_whole_rows_and_columns_of_white_vanish() -> None:
    pixels = retina()
    framed = np.pad(pixels, ((20, 31), (7, 9)), constant_values=255)
    cleared = without_borders(framed)
    inner = cleared[20 + RINGING : -31 - RINGING, 7 + RINGING : -9 - RINGING]
    np.testing.assert_array_equal(inner, pixels[RINGING:-RINGING, RINGING:-RINGING])
    assert not cleared[:20].any()
    assert not cleared[-31:].any()
    assert not cleared[:, :7].any()
    assert not cleared[:, -9:].any()


def test_white_that_touches_no_edge_stays() -> None:
    pixels = np.full((60, 80), 40, np.uint8)
    pixels[1:-1, 1:-1] = 255
    np.testing.assert_array_equal(without_borders(pixels), pixels)


def test_a_saturated_layer_loses_its_own_run_at_the_edge_and_no_row_beside_it() -> None:
    pixels = retina()
    pixels[250:254, :30] = 255
    cleared = without_borders(pixels)
    lost = cleared != pixels
    assert lost[250:254, : 30 + RINGING].all()
    assert lost.sum() == 4 * (30 + RINGING)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 90), st.integers(1, 90)),
        elements=st.sampled_from([0, 100, WHITE - 1, WHITE, 255]),
        fill=st.sampled_from([0, 255]),
    )
)
def test_what_vanishes_is_what_the_definition_says_pixel_by_pixel(pixels: np.ndarray) -> None:
    expected = pixels.copy()
    for picture, result in ((pixels, expected), (pixels.T, expected.T)):
        for step in (1, -1):
            for line, kept in zip(picture[:, ::step], result[:, ::step], strict=True):
                run = next((i for i, value in enumerate(line) if value < WHITE), len(line))
                kept[: run + RINGING if run else 0] = 0
    np.testing.assert_array_equal(without_borders(pixels), expected)


# The window


@pytest.mark.parametrize("middle", [0.3, 0.4, 0.6, 0.7])
def test_the_window_follows_the_retina_up_and_down(middle: float) -> None:
    top, bottom = retina_window(retina(middle))
    assert bottom - top == pytest.approx(SHARE * HEIGHT)
    assert (top + bottom) / 2 == pytest.approx(middle * HEIGHT, abs=0.05 * HEIGHT)
    assert difference(to_grey(scan_of(retina(middle))), to_grey(scan_of(retina(0.5)))) < 1


@pytest.mark.parametrize("middle", [0.02, 0.98])
def test_the_window_stays_in_the_picture_where_the_retina_leaves_it(middle: float) -> None:
    top, bottom = retina_window(retina(middle))
    assert (top, bottom) == ((0.0, HEIGHT / 2) if middle < 0.5 else (HEIGHT / 2, float(HEIGHT)))


def test_a_steep_retina_gets_the_rows_it_needs() -> None:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    steep = np.where(np.abs(rows - (60 + columns * 0.7)) < 25, 180, 15).astype(np.uint8)
    top, bottom = retina_window(steep)
    assert (top, bottom) == (pytest.approx(0, abs=60), pytest.approx(HEIGHT, abs=60))
    light = np.flatnonzero((steep > 100).any(1))
    assert bottom - top >= 0.9 * (light[-1] - light[0])


@pytest.mark.parametrize("value", [0, 7, WHITE - 1])
def test_a_blank_picture_is_shown_whole(value: int) -> None:
    assert retina_window(np.full((60, 40), value, np.uint8)) == (0.0, 60.0)


@pytest.mark.parametrize("rows", [-50, -25, 25, 50])
def test_moving_a_phantom_up_or_down_changes_little(samples: list[Path], rows: int) -> None:
    changes, stretched = [], []
    for path in samples:
        pixels = without_borders(read_scan(path).pixels)
        changes.append(difference(to_grey(scan_of(moved(pixels, rows))), to_grey(scan_of(pixels))))
        plain = (Image.fromarray(p).resize((SIZE, SIZE)) for p in (moved(pixels, rows), pixels))
        stretched.append(difference(*(np.asarray(image) for image in plain)))
    assert np.median(changes) < 0.3 * np.median(stretched)


def test_rows_above_or_below_change_the_scale_and_not_what_stands_in_the_middle() -> None:
    pixels = retina(0.5, 0.15)
    padded = np.pad(pixels, ((100, 0), (0, 0)), mode="edge")
    (top, bottom), (top_padded, bottom_padded) = retina_window(pixels), retina_window(padded)
    assert (top_padded + bottom_padded) / 2 - 100 == pytest.approx((top + bottom) / 2, abs=8)
    assert (bottom_padded - top_padded) / (bottom - top) == pytest.approx(596 / 496)


@pytest.mark.parametrize("width", [768, 1024, 1536])
def test_a_retina_exported_with_more_columns_gives_nearly_the_same_picture(width: int) -> None:
    one, other = to_grey(scan_of(retina())), to_grey(scan_of(retina(width=width)))
    assert difference(one, other) < 0.5


# Real scans: not ours to commit, so measured where they are


@pytest.fixture(scope="module")
def real(oct2017: Path) -> list[np.ndarray]:
    return [read_scan(path).pixels for path in sorted(oct2017.rglob("*.jpeg"))[::16]]


def test_real_scans_hold_under_a_shift_of_a_twentieth(real: list[np.ndarray]) -> None:
    changes = []
    for pixels in map(without_borders, real):
        changes.append(difference(to_grey(scan_of(moved(pixels, len(pixels) // 20))), to_grey(scan_of(pixels))))
    assert np.median(changes) < 3


def test_real_scans_of_more_columns_give_nearly_the_same_picture(real: list[np.ndarray]) -> None:
    changes = []
    for pixels in map(without_borders, real):
        wide = np.asarray(Image.fromarray(pixels).resize((1024, len(pixels)), Image.Resampling.BICUBIC))
        changes.append(difference(to_grey(scan_of(wide)), to_grey(scan_of(pixels))))
    assert np.median(changes) < 1


def test_a_retina_that_is_saturated_at_a_side_loses_few_pixels(real: list[np.ndarray]) -> None:
    """A run of bright rows at a side that reaches neither upper nor lower edge is retina, and no wedge."""
    for pixels in real:
        lost = (without_borders(pixels) != pixels) & (pixels >= WHITE - RINGING)
        for side, taken in ((pixels, lost), (pixels[:, ::-1], lost[:, ::-1])):
            assert sum(int(taken[rows].sum()) for rows in _inner_runs(side[:, :3].max(1) >= 200)) < 100


def _inner_runs(bright: np.ndarray) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bright, [False]]).astype(int)))
    runs = [slice(start, end) for start, end in edges.reshape(-1, 2).tolist()]
    return [run for run in runs if run.start > RINGING and run.stop < len(bright) - RINGING]
