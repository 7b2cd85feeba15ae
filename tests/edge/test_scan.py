"""Every way in which a picture can lie ends as a `ScanError` that says so; every honest one keeps its grey values."""

import hashlib
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from oct_edge.errors import ScanError, UnsupportedFormat
from oct_edge.reading import MAX_BYTES
from oct_edge.scan import PICTURES, decode_scan, read_scan
from oct_models import sample_scans

JPEG = sample_scans()[0].read_bytes()
GREY = Image.open(BytesIO(JPEG)).resize((64, 48))
COLOUR = Image.merge("RGB", [GREY, GREY.transpose(Image.Transpose.ROTATE_180), GREY.point(lambda v: 255 - v)])


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PNG = encode(Image.open(BytesIO(JPEG)))


def zero_from(data: bytes, start: int, length: int | None = None) -> bytes:
    return data[:start] + bytes((length or len(data)) - start)


def cut(data: bytes, length: int) -> bytes:
    return data[:length]


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header announces this size, with next to nothing behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def see_through(mode: str) -> Image.Image:
    image = GREY.convert(mode)
    image.putalpha(Image.new("L", GREY.size, 254))
    return image


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refusal(source: bytes | Path, name: str = "scan-041.jpeg") -> ScanError:
    with pytest.raises(ScanError) as caught:
        decode_scan(source, name) if isinstance(source, bytes) else read_scan(source)
    assert name in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG[: len(JPEG) // 2], id="jpeg cut at 50 %"),
        pytest.param(JPEG[: len(JPEG) * 99 // 100], id="jpeg cut at 99 %"),
        pytest.param(JPEG[:-2], id="jpeg without its end marker"),
        pytest.param(zero_from(JPEG, len(JPEG) // 2), id="jpeg with zeros in its second half"),
        pytest.param(zero_from(JPEG, len(JPEG) // 2, 8 * len(JPEG)), id="jpeg with zeros enough for all its rows"),
        pytest.param(JPEG[:3], id="jpeg of three bytes"),
        pytest.param(PNG[: len(PNG) // 2], id="png cut at 50 %"),
        pytest.param(PNG[:-12], id="png without its end chunk"),
        pytest.param(zero_from(PNG, len(PNG) // 2), id="png with zeros in its second half"),
        pytest.param(flip(PNG, len(PNG) // 2), id="png with a bit error in its pixels"),
        pytest.param(flip(PNG, 20), id="png with a bit error in its header"),
    ],
)
def test_a_damaged_picture_is_refused(data: bytes) -> None:
    assert refusal(data).code == "damaged_image"


def test_where_there_is_no_memory_no_picture_is_called_damaged(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(0, 255, 4000).astype(np.uint8), (4000, 1))
    Image.fromarray(grey).convert("RGB").save(tmp_path / "x.jpeg")
    program = """if True:
        import re, resource, sys
        from oct_edge.errors import ScanError, UnsupportedFormat
        from oct_edge.scan import read_scan
        kib = int(re.findall(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[0])
        resource.setrlimit(resource.RLIMIT_AS, (kib * 1024 + 2**22, resource.RLIM_INFINITY))
        try:
            read_scan(sys.argv[1])
        except ScanError as error:
            print(error.code)
    """
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "x.jpeg"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("not_enough_memory\n", "")


@pytest.mark.parametrize(
    ("kind", "damage"),
    [("JPEG", cut), ("JPEG", zero_from), ("PNG", cut), ("PNG", zero_from), ("PNG", flip)],
)
def test_damage_at_any_byte_is_refused_or_harmless(kind: str, damage: Callable[[bytes, int], bytes]) -> None:
    data = encode(GREY, kind)
    whole = decode_scan(data, "whole").pixels
    for position in range(len(data)):
        try:
            pixels = decode_scan(damage(data, position), "damaged").pixels
        except ScanError:
            continue
        assert np.array_equal(pixels, whole), position


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "empty_file", id="empty"),
        pytest.param(b"Patient: A. Example\n", "unsupported_format", id="text renamed .jpeg"),
        pytest.param(encode(GREY, "GIF"), "unsupported_format", id="GIF"),
        pytest.param(encode(GREY, "BMP"), "unsupported_format", id="BMP"),
        pytest.param(encode(GREY, "WEBP"), "unsupported_format", id="WEBP"),
        pytest.param(encode(GREY, "EPS"), "unsupported_format", id="EPS"),
        pytest.param(encode(see_through("RGBA")), "unsupported_pixels", id="RGBA see-through"),
        pytest.param(encode(see_through("LA")), "unsupported_pixels", id="LA see-through"),
        pytest.param(encode(GREY, transparency=GREY.getpixel((0, 0))), "unsupported_pixels", id="L see-through"),
        pytest.param(encode(GREY.convert("1")), "unsupported_pixels", id="bilevel"),
        pytest.param(encode(GREY.convert("CMYK"), "JPEG"), "unsupported_pixels", id="CMYK JPEG"),
        pytest.param(encode(COLOUR), "unsupported_pixels", id="colour PNG"),
        pytest.param(encode(COLOUR, "JPEG"), "unsupported_pixels", id="colour JPEG"),
        pytest.param(png_of(12_000, 12_000), "too_large", id="12000 x 12000 header"),
        pytest.param(png_of(30_000, 30_000), "too_large", id="30000 x 30000 header"),
    ],
)
def test_what_is_no_grey_scan_is_refused_with_its_own_code(data: bytes, code: str) -> None:
    assert refusal(data).code == code


@pytest.mark.parametrize(
    ("data", "name", "notes"),
    [
        (JPEG, "scan.jpeg", ()),
        (JPEG, "SCAN.JPG", ()),
        (PNG, "scan.jpeg", ("suffix_mismatch",)),
        (JPEG, "scan.png", ("suffix_mismatch",)),
        (JPEG, "scan.dcm", ("suffix_mismatch",)),
        (encode(GREY, "TIFF"), "scan.jpeg", ("suffix_mismatch",)),
        (encode(GREY, "TIFF"), "scan.tif", ()),
        (PNG, "IM000001", ()),
        (PNG, "scan.backup", ()),
    ],
)
def test_the_content_decides_and_a_name_that_says_otherwise_is_noted(
    data: bytes, name: str, notes: tuple[str, ...]
) -> None:
    assert decode_scan(data, name).notes == notes


def test_a_data_set_takes_only_the_kinds_that_it_asks_for() -> None:
    with pytest.raises(UnsupportedFormat, match="neither JPEG nor PNG"):
        decode_scan(encode(GREY, "TIFF"), "scan.png", PICTURES)
    assert decode_scan(PNG, "scan.png", PICTURES).pixels.ndim == 2


def test_a_colour_profile_changes_no_value() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for image in (GREY, GREY.convert("RGB")):
        pixels = decode_scan(encode(image, icc_profile=profile), "scan.png").pixels
        np.testing.assert_array_equal(pixels, np.asarray(GREY))


def test_a_photograph_is_refused(negatives: Path) -> None:
    photographs = [path for path in sorted((negatives / "photos").iterdir()) if path.suffix in (".jpeg", ".jpg")]
    assert photographs
    assert {refusal(path, path.name).code for path in photographs} <= {"unsupported_pixels", "too_large"}


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(GREY, id="L"),
        pytest.param(GREY.convert("LA"), id="LA opaque"),
        pytest.param(GREY.convert("P"), id="P"),
        pytest.param(GREY.convert("RGB"), id="RGB"),
        pytest.param(GREY.convert("RGBA"), id="RGBA opaque"),
        pytest.param(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), id="I;16"),
    ],
)
def test_a_grey_picture_keeps_its_values_in_every_pixel_mode(image: Image.Image) -> None:
    pixels = decode_scan(encode(image), "scan.png").pixels
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.asarray(GREY))


def test_a_grey_picture_saved_as_a_colour_jpeg_stays_grey() -> None:
    pixels = decode_scan(encode(GREY.convert("RGB"), "JPEG", quality=95), "scan.jpeg").pixels
    assert np.abs(pixels.astype(int) - np.asarray(GREY)).mean() < 3


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 40_000, 65_535]], np.uint16))
    assert decode_scan(encode(image), "scan.png").pixels.tolist() == [[0, 156, 255]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scan_is_turned_as_its_exif_orientation_says(kind: str, orientation: int) -> None:
    data = encode(GREY, kind, exif=exif(orientation))
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    np.testing.assert_array_equal(decode_scan(data, "turned").pixels, np.asarray(upright))


def test_a_tag_that_pillow_cannot_write_back_does_not_stop_the_turning() -> None:
    """`ImageOps.exif_transpose` (Pillow 13) raises a TypeError for this resolution, which is text."""
    orientation = struct.pack("<HHIHH", ExifTags.Base.Orientation, 3, 1, 6, 0)
    resolution = struct.pack("<HHI4s", ExifTags.Base.XResolution, 2, 1, b"x")
    tags = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + orientation + resolution + bytes(4)
    assert decode_scan(encode(GREY, "JPEG", exif=tags), "scan.jpeg").pixels.shape == (64, 48)


def test_the_digest_is_that_of_the_bytes_read(samples: list[Path]) -> None:
    scan = read_scan(samples[0])
    assert scan.sha256 == hashlib.sha256(samples[0].read_bytes()).hexdigest()
    assert (scan.name, scan.pixels.shape, scan.frame, scan.laterality) == (samples[0].name, (496, 512), None, None)


def test_every_real_scan_is_read(oct2017: Path) -> None:
    paths = sorted(oct2017.glob("test/*/*.jpeg"))
    assert {read_scan(path).pixels.ndim for path in paths} == {2}


def test_a_huge_header_is_refused_without_the_memory_for_its_pixels(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, side in zip(paths, (12_000, 30_000), strict=True):
        path.write_bytes(png_of(side, side))
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from oct_edge.errors import ScanTooLarge; from oct_edge.scan import read_scan\n"
        "limit = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize() + 64 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_scan(path)\n"
        "    except ScanTooLarge: print('too large')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("too large\n" * 2, "")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.jpeg", "gone.jpeg").code == "not_found"


def test_a_file_larger_than_any_scan_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "volume.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    os.truncate(path, MAX_BYTES + 1)
    assert refusal(path, path.name).code == "too_large"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jpeg"
    os.mkfifo(path)
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("reading the pipe blocks"))
    signal.alarm(5)
    try:
        assert refusal(path, path.name).code == "unreadable"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_folder_is_refused_and_leaves_no_open_file(tmp_path: Path) -> None:
    before = open_files()
    error = refusal(tmp_path, tmp_path.name)
    assert error.code == "unreadable"
    assert "--recursive" in error.hint
    assert open_files() == before
