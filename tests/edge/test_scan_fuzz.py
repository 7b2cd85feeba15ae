"""Arbitrary and mutated bytes never raise anything outside `ScanError`, and never print."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oct_edge.errors import ScanError
from oct_edge.scan import decode_scan
from oct_models import sample_scans


def seeds() -> list[bytes]:
    """Small pictures of the kinds whose headers have many places to break."""
    grey = Image.open(sample_scans()[0]).resize((48, 32))
    tags = Image.Exif()
    tags[0x112], tags[0x10F], tags[0x11A] = 6, "maker", 72.0
    tags[0x8769] = {0x9003: "2018:11:22 00:00:00"}
    recipes = [
        (grey, {"format": "JPEG"}),
        (grey, {"format": "JPEG", "progressive": True}),
        (grey.convert("RGB"), {"format": "JPEG", "exif": tags}),
        (grey, {"format": "MPO", "save_all": True, "append_images": [grey]}),
        (grey, {"format": "PNG", "exif": tags}),
        (grey.convert("RGB").quantize(16), {"format": "PNG", "transparency": b"\xff\xff"}),
    ]
    encoded = []
    for image, options in recipes:
        buffer = BytesIO()
        image.save(buffer, **options)
        encoded.append(buffer.getvalue())
    return encoded


SEEDS = seeds()


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[start : start + length] = draw(st.binary(max_size=8))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


MAGIC = st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])


@pytest.mark.parametrize(
    "inputs", [mutations(), st.builds(bytes.__add__, MAGIC, st.binary())], ids=["mutated", "arbitrary"]
)
def test_hostile_bytes_end_in_a_scan_or_a_scan_error(inputs: st.SearchStrategy, capfd: pytest.CaptureFixture) -> None:
    @given(inputs)
    @settings(max_examples=400, deadline=None)
    def attempt(data: bytes) -> None:
        with suppress(ScanError):
            assert decode_scan(data, "hostile").pixels.ndim == 2

    attempt()
    assert capfd.readouterr() == ("", "")
