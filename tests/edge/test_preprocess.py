"""The one way from a scan to a tensor: borders made black, a window on the retina, one size, grey three times over.

It is not idempotent, and promises not to be: a picture that has been through it is a scan of half the height, and the
window of that is half of it again. So what is preprocessed already, as a golden picture, goes through `expand` alone.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from oct_edge.bundle import Bundle
from oct_edge.preprocess import SHARE, SIZE, WHITE, expand, retina_window, to_grey, to_tensor, without_borders
from oct_edge.scan import Scan, read_scan

Draw = Callable[..., np.ndarray]
Differ = Callable[[np.ndarray, np.ndarray], float]
SPECTRALIS = [(496, 512), (496, 768), (496, 1024), (496, 1536), (512, 512)]
ODD = [(1, 1), (1, 700), (700, 1), (2, 3), (3, 4000), (4000, 3), (SIZE, SIZE)]


def scan_of(pixels: np.ndarray) -> Scan:
    return Scan(pixels.astype(np.uint8), "", "drawn")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


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


def test_a_scan_is_left_as_it_was_and_may_be_read_only(retina: Draw) -> None:
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


def test_a_picture_of_the_networks_size_is_preprocessed_as_any_other(bundle: Bundle, difference: Differ) -> None:
    golden = bundle.golden[0].grey
    assert golden.shape == (SIZE, SIZE)
    np.testing.assert_array_equal(expand(golden)[0, :, :, 0], golden)
    assert difference(to_grey(scan_of(golden)), golden) > 5


def test_fine_detail_is_averaged_and_not_sampled() -> None:
    stripes = scan_of(np.tile([0, WHITE - 10], (496, 512)))
    plain = np.asarray(Image.fromarray(stripes.pixels).resize((SIZE, SIZE), Image.Resampling.NEAREST))
    assert plain.std() > 100
    assert to_grey(stripes).std() < 10
