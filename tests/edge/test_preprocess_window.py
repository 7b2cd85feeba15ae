"""The rows that the network sees are those around the retina, wherever in the picture it lies and however it came."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.preprocess import SHARE, SIZE, WHITE, retina_window, without_borders
from oct_edge.scan import read_scan

Draw = Callable[..., np.ndarray]
Seen = Callable[[np.ndarray], np.ndarray]
Differ = Callable[[np.ndarray, np.ndarray], float]
HEIGHT, WIDTH = 496, 512


def moved(pixels: np.ndarray, rows: int) -> np.ndarray:
    """The picture so many rows lower, with its own first or last row before it."""
    return np.take(pixels, np.arange(len(pixels)) - rows, axis=0, mode="clip")


@pytest.mark.parametrize("middle", [0.3, 0.4, 0.6, 0.7])
def test_the_window_follows_the_retina_up_and_down(
    middle: float, retina: Draw, grey_of: Seen, difference: Differ
) -> None:
    top, bottom = retina_window(retina(middle))
    assert bottom - top == pytest.approx(SHARE * HEIGHT)
    assert (top + bottom) / 2 == pytest.approx(middle * HEIGHT, abs=0.05 * HEIGHT)
    assert difference(grey_of(retina(middle)), grey_of(retina(0.5))) < 1


@pytest.mark.parametrize("middle", [0.02, 0.98])
def test_the_window_stays_in_the_picture_where_the_retina_leaves_it(middle: float, retina: Draw) -> None:
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
def test_moving_a_phantom_up_or_down_changes_little(
    samples: list[Path], rows: int, grey_of: Seen, difference: Differ
) -> None:
    changes, stretched = [], []
    for path in samples:
        pixels = without_borders(read_scan(path).pixels)
        changes.append(difference(grey_of(moved(pixels, rows)), grey_of(pixels)))
        plain = (Image.fromarray(p).resize((SIZE, SIZE)) for p in (moved(pixels, rows), pixels))
        stretched.append(difference(*(np.asarray(image) for image in plain)))
    assert np.median(changes) < 0.3 * np.median(stretched)


def test_rows_above_or_below_change_the_scale_and_not_what_stands_in_the_middle(retina: Draw) -> None:
    pixels = retina(0.5, 0.15)
    padded = np.pad(pixels, ((100, 0), (0, 0)), mode="edge")
    (top, bottom), (top_padded, bottom_padded) = retina_window(pixels), retina_window(padded)
    assert (top_padded + bottom_padded) / 2 - 100 == pytest.approx((top + bottom) / 2, abs=8)
    assert (bottom_padded - top_padded) / (bottom - top) == pytest.approx(596 / 496)


@pytest.mark.parametrize("width", [768, 1024, 1536])
def test_a_retina_exported_with_more_columns_gives_nearly_the_same_picture(
    width: int, retina: Draw, grey_of: Seen, difference: Differ
) -> None:
    one, other = grey_of(retina()), grey_of(retina(width=width))
    assert difference(one, other) < 0.5


def test_real_scans_hold_under_a_shift_of_a_twentieth(
    real: list[np.ndarray], grey_of: Seen, difference: Differ
) -> None:
    changes = []
    for pixels in map(without_borders, real):
        changes.append(difference(grey_of(moved(pixels, len(pixels) // 20)), grey_of(pixels)))
    assert np.median(changes) < 3


def test_real_scans_of_more_columns_give_nearly_the_same_picture(
    real: list[np.ndarray], grey_of: Seen, difference: Differ
) -> None:
    changes = []
    for pixels in map(without_borders, real):
        wide = np.asarray(Image.fromarray(pixels).resize((1024, len(pixels)), Image.Resampling.BICUBIC))
        changes.append(difference(grey_of(wide), grey_of(pixels)))
    assert np.median(changes) < 1
