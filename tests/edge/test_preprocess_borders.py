"""White wedges and borders, which registration leaves around a scan, become black, and the retina stays as it was."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from oct_edge.preprocess import RINGING, WHITE, without_borders

Draw = Callable[..., np.ndarray]
Seen = Callable[[np.ndarray], np.ndarray]
Differ = Callable[[np.ndarray, np.ndarray], float]
HEIGHT, WIDTH = 496, 512


def wedge(width: int = 150, height: int = 60) -> np.ndarray:
    """Where a white triangle in the upper left corner is."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return rows / height + columns / width < 1


@pytest.mark.parametrize("down", [1, -1])
@pytest.mark.parametrize("across", [1, -1])
def test_a_wedge_in_any_corner_vanishes_with_its_ringing(
    down: int, across: int, retina: Draw, grey_of: Seen, difference: Differ
) -> None:
    inside = wedge()[::down, ::across]
    pixels = np.where(inside, np.uint8(255), retina(thickness=0.1))
    cleared = without_borders(pixels)
    assert not cleared[inside].any()
    beside = cleared != np.where(inside, 0, pixels)
    assert beside.sum() <= RINGING * (150 + 60) + RINGING**2
    assert difference(grey_of(pixels), grey_of(np.where(inside, 0, pixels))) < 0.1


def test_four_wedges_of_a_jpeg_leave_no_white_behind(retina: Draw) -> None:
    inside = wedge(200, 50) | wedge(90, 100)[::-1] | wedge(150, 60)[:, ::-1] | wedge(60, 20)[::-1, ::-1]
    image = Image.fromarray(np.where(inside, np.uint8(255), retina(thickness=0.1) // 2))
    pixels = np.array(image)
    pixels[inside] -= np.random.default_rng(0).integers(0, 256 - WHITE, inside.sum(), np.uint8)
    assert without_borders(pixels).max() < 160


def test_whole_rows_and_columns_of_white_vanish(retina: Draw) -> None:
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


def test_a_saturated_layer_loses_its_own_run_at_the_edge_and_no_row_beside_it(retina: Draw) -> None:
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
