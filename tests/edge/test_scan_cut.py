"""A JPEG that was cut and closed with an end marker decodes without an error, and is still no whole scan."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.errors import ScanDamaged
from oct_edge.scan import decode_scan, read_scan


def closed(path: Path, share: float) -> bytes:
    data = path.read_bytes()
    return data[: int(len(data) * share)] + b"\xff\xd9"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_cut_jpeg_with_an_end_marker_is_refused_with_its_blank_rows(samples: list[Path], share: float) -> None:
    for path in samples:
        with pytest.raises(ScanDamaged, match=r"the last \d+ rows are blank"):
            decode_scan(closed(path, share), path.name)


def test_cut_real_scans_are_refused_and_whole_ones_are_not(oct2017: Path) -> None:
    paths = sorted(oct2017.glob("*/*/*.jpeg"))
    for path in paths[::8]:
        with pytest.raises(ScanDamaged):
            decode_scan(closed(path, 0.6), path.name)
    assert all(read_scan(path).pixels.ndim == 2 for path in paths)


@pytest.mark.parametrize("border", [0, 5, 128, 255])
@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 30}, {"progressive": True}], ids=str)
def test_borders_of_one_grey_are_no_damage(border: int, options: dict[str, int]) -> None:
    pixels = np.random.default_rng(0).integers(20, 200, (496, 512), np.uint8)
    pixels[400:] = border
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    assert decode_scan(buffer.getvalue(), "bordered.jpeg").pixels.shape == (496, 512)
