"""The one way from a scan to a tensor: stretched, antialiased, grey three times over, and no arithmetic on values."""

import numpy as np
import pytest
from PIL import Image

from oct_edge.preprocess import SIZE, expand, to_grey, to_tensor
from oct_edge.scan import Scan

SPECTRALIS = [(496, 512), (496, 768), (496, 1024), (496, 1536), (512, 512)]


def scan_of(pixels: np.ndarray) -> Scan:
    return Scan(pixels.astype(np.uint8), "", "drawn")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


@pytest.mark.parametrize("shape", [*SPECTRALIS, (1, 1), (3, 2000), (SIZE, SIZE)])
def test_every_scan_becomes_the_tensor_of_the_contract(shape: tuple[int, int]) -> None:
    tensor = to_tensor(scan_of(noise(*shape)))
    assert (tensor.shape, tensor.dtype) == ((1, SIZE, SIZE, 3), np.uint8)
    assert tensor.flags.c_contiguous
    assert (tensor == tensor[..., :1]).all()


def test_a_picture_of_the_networks_size_passes_untouched() -> None:
    pixels = noise(SIZE, SIZE)
    np.testing.assert_array_equal(to_tensor(scan_of(pixels))[0, :, :, 0], pixels)


def test_a_flat_picture_keeps_its_value() -> None:
    for value in range(256):
        assert (to_tensor(scan_of(np.full((60, 40), value))) == value).all()


def test_fine_detail_is_averaged_and_not_sampled() -> None:
    stripes = scan_of(np.tile([0, 255], (496, 512)))
    plain = np.asarray(Image.fromarray(stripes.pixels).resize((SIZE, SIZE), Image.Resampling.NEAREST))
    assert plain.std() > 100
    assert to_grey(stripes).std() < 10


@pytest.mark.parametrize("shape", SPECTRALIS[1:4])
def test_a_retina_exported_with_more_columns_gives_nearly_the_same_tensor(shape: tuple[int, int]) -> None:
    rows, columns = np.mgrid[0:496, 0:512]
    retina = 128 + 100 * np.sin(rows / 20 + np.sin(columns / 100))
    wide = Image.fromarray(retina.astype(np.uint8)).resize(shape[::-1], Image.Resampling.BICUBIC)
    difference = to_grey(scan_of(np.asarray(wide))).astype(int) - to_grey(scan_of(retina))
    assert np.abs(difference).max() <= 3


def test_a_view_into_a_volume_gives_the_tensor_of_its_copy() -> None:
    view = noise(992, 1024)[::2, ::-2]
    np.testing.assert_array_equal(to_tensor(scan_of(view)), to_tensor(scan_of(view.copy())))


def test_a_tensor_is_the_expanded_grey_and_no_window_onto_the_scan() -> None:
    scan = scan_of(noise(SIZE, SIZE))
    tensor = to_tensor(scan)
    np.testing.assert_array_equal(tensor, expand(to_grey(scan)))
    assert not np.shares_memory(tensor, scan.pixels)
