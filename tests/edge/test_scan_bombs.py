"""Small files that mean to become large ones are refused before they do: each costs a process less than 50 MB more.

What is compared is the peak of a process that has read a harmless file of every format before, as the daemon has.
"""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz.pictures import GREY, VALUES, dicom_of, encoded, grey_page, tiff_of
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

LIMIT = 50 * 2**20
_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
EMPTY_ELEMENTS = b"".join(struct.pack("<HH2sH", i >> 16 | 0x0101, i & 0xFFFF, b"LO", 0) for i in range(1_000_000))
PROGRAM = """
import re, sys, time
from pathlib import Path
from fuzz.pictures import seeds
from oct_edge.errors import ScanError
from oct_edge.scan import open_frames

def read(data, name):
    frames = open_frames(data, name)
    frames.scan(next(iter(frames.numbers)))

def peak():
    return int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0])

for data in seeds().values():
    read(data, "harmless")
data = Path(sys.argv[1]).read_bytes()
before, begun = peak(), time.perf_counter()
try:
    read(data, "bomb")
    code = "read"
except ScanError as error:
    code = error.code
seconds = time.perf_counter() - begun
print(code, peak() - before, round(seconds * 1000, 1))
"""


def png_of(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    packed = [kind + body for kind, body in parts]
    whole = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in packed]
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def texts(count: int) -> bytes:
    packed = zlib.compress(bytes(2**20 - 64), 9)
    return png_of(8, 8, *[(b"iTXt", b"k%d\0\1\0\0\0" % i + packed) for i in range(count)])


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(encoded(GREY, "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def gif(frames: int) -> bytes:
    small = [Image.new("L", (2, 2), i % 2 * 255) for i in range(frames)]
    return encoded(small[0], "GIF", save_all=True, append_images=small[1:])


def circle(pages: int) -> bytes:
    """The last page leads back to the middle."""
    data = bytearray(tiff_of([({256: 8, 257: 8}, b"")] * pages))
    data[-4:] = data[4:8]
    return bytes(data)


def huge_tag() -> bytes:
    rows = struct.pack("<HHI", 278, 4, 1)
    return tiff_of([grey_page(VALUES)]).replace(rows, rows[:4] + b"\xff" * 4)


def deflated() -> bytes:
    """A gigabyte of zeros, behind the head of a file that is one."""
    whole = dicom_of([VALUES], DeflatedExplicitVRLittleEndian)
    body = struct.pack("<HH2sHI", 0x0008, 0x0001, b"OB", 0, 2**30)
    packer, parts = zlib.compressobj(9, zlib.DEFLATED, -15), []
    parts.append(packer.compress(body))
    parts += [packer.compress(bytes(2**20)) for _ in range(1024)]
    return whole[: _meta_end(whole)] + b"".join(parts) + packer.flush()


def _meta_end(data: bytes) -> int:
    place = data.index(b"\x02\0\0\0UL")
    return place + 12 + int.from_bytes(data[place + 8 : place + 12], "little")


def many_elements() -> bytes:
    whole = dicom_of([VALUES])
    head = whole[: _meta_end(whole)]
    elements = b"".join(struct.pack("<HH2sH", 0x0009, i & 0xFFFF, b"LO", 0) for i in range(1_000_000))
    return head + elements + whole[len(head) :]


def nested_sequences() -> bytes:
    whole = dicom_of([VALUES])
    head = whole[: _meta_end(whole)]
    level = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + _ITEM
    return head + level * 100_000 + whole[len(head) :]


def items() -> bytes:
    """One sequence without an end, of empty elements by the hundred thousand, in what is looked at."""
    whole = dicom_of([VALUES])
    head = whole[: _meta_end(whole)]
    return head + struct.pack("<HH2sHI", 0x0028, 0x3000, b"SQ", 0, 0xFFFFFFFF) + _ITEM + EMPTY_ELEMENTS


def run_lengths() -> bytes:
    """Sixteen MiB that would unpack to a gigabyte, for a frame of a few pixels."""
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 2**23
    return dicom_of([VALUES[:8, :8]], RLELossless, PixelData=encapsulate([frame]))


def described_frames() -> bytes:
    """A thousand frames of one pixel, with a million elements that describe them."""
    whole = dicom_of([VALUES[:1, :1]] * 1024)
    place = whole.index(struct.pack("<HH", 0x7FE0, 0x0010))
    start = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, 0xFFFFFFFF) + _ITEM
    return whole[:place] + start + EMPTY_ELEMENTS


def codestream() -> bytes:
    """A JPEG 2000 that says 30000 x 30000, in a DICOM that says 48 x 32."""
    data = bytearray(dicom_of([VALUES], JPEG2000Lossless))
    place = data.index(b"\xff\x4f\xff\x51") + 8
    data[place : place + 8] = struct.pack(">II", 30_000, 30_000)
    return bytes(data)


BOMBS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "png 12000 x 12000": (lambda: png_of(12_000, 12_000), {"too_large"}),
    "png 30000 x 30000": (lambda: png_of(30_000, 30_000), {"too_large"}),
    "png with 300 MiB of texts": (lambda: texts(300), {"too_large"}),
    "png with a text of 8 MiB": (lambda: png_of(8, 8, (b"iTXt", b"k\0\0\0\0\0" + b"x" * 2**23)), {"too_large"}),
    "png of a million pieces": (lambda: png_of(8, 8, *[(b"prVt", b"")] * 2**20), {"too_large"}),
    "jpeg 65500 x 1": (lambda: jpeg_of(65_500, 1), {"too_large"}),
    "jpeg 65500 x 65500": (lambda: jpeg_of(65_500, 65_500), {"too_large"}),
    "gif of 10000 frames": (lambda: gif(10_000), {"unsupported_format"}),
    "tiff of 10000 pages": (lambda: tiff_of([({256: 8, 257: 8}, b"")] * 10_000), {"too_large"}),
    "tiff in a circle": (lambda: circle(500), {"damaged_image"}),
    "tiff with 65535 tags": (lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 65_535), {"too_large"}),
    "tiff with a tag of 4 GiB": (huge_tag, {"too_large"}),
    "tiff 30000 x 30000": (lambda: tiff_of([grey_page(VALUES, t256=30_000, t257=30_000)]), {"too_large"}),
    "deflated dicom of a gigabyte": (deflated, {"too_large"}),
    "dicom of a million elements": (many_elements, {"too_large"}),
    "dicom of 100000 levels": (nested_sequences, {"too_large", "damaged_image"}),
    "dicom with a sequence of a million elements": (items, {"too_large"}),
    "dicom of run lengths": (run_lengths, {"damaged_image"}),
    "dicom of 1024 frames and a million elements": (described_frames, {"too_large"}),
    "dicom with a codestream of 30000 x 30000": (codestream, {"damaged_image", "too_large"}),
    "dicom 65000 x 65000": (lambda: dicom_of([VALUES], Rows=65_000, Columns=65_000), {"too_large"}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_memory(name: str, tmp_path: Path) -> None:
    make, codes = BOMBS[name]
    (tmp_path / "bomb").write_bytes(make())
    path = os.pathsep.join([str(Path(__file__).parents[2] / "scripts"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "bomb")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env=os.environ | {"PYTHONPATH": path}
    )
    code, kib, milliseconds = done.stdout.split()
    print(f"{name}: {code}, {int(kib) >> 10} MiB, {milliseconds} ms, file {len(make()) >> 10} KiB")
    assert done.stderr == ""
    assert code in codes
    assert int(kib) * 1024 < LIMIT
