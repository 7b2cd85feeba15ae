"""PNG, whose checksums are all looked at, and whose texts are not unpacked when they are more than texts."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

from PIL import Image

from oct_edge.errors import ScanTooLarge
from oct_edge.scan.identity import Content, Picture, refusing, require_size
from oct_edge.scan.raster import grey_of, upright

MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 1 << 20
MAX_CHUNKS = 1 << 15

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def open_png(data: bytes, name: str) -> Content:
    return Content(1, lambda _: _decoded(data, name))


def _decoded(data: bytes, name: str) -> Picture:
    with refusing("PNG", name):
        _require_little_text(data, name)
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            require_size(*image.size, name)
            Image.open(BytesIO(data), formats=["PNG"]).verify()
            image.load()
            return Picture(upright(grey_of(image, name), image))


def _require_little_text(data: bytes, name: str) -> None:
    """Count what the texts are when unpacked, and unpack no more than may be: Pillow would take 64 MiB of them."""
    left = MAX_TEXT
    for number, (kind, start, length) in enumerate(_chunks(data)):
        if kind in _TEXTS:
            left -= length
            left -= _unpacked(kind, data[start : start + length], left) if left > 0 else 0
        if left < 0:
            raise ScanTooLarge(f"{name}: more than {MAX_TEXT >> 20} MiB of texts around the picture.")
        if number > MAX_CHUNKS:
            raise ScanTooLarge(f"{name}: more pieces than a picture of this kind has.")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each; of a file that is damaged, up to there."""
    place = len(MAGIC)
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        yield kind, place + 8, length
        place += length + 12


def _unpacked(kind: bytes, text: bytes, limit: int) -> int:
    """Bytes that a text has more when it is unpacked, counted up to `limit` and one."""
    _, _, rest = text.partition(b"\0")  # behind its keyword
    packed = {b"zTXt": rest[1:], b"iTXt": rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\1" else b""}.get(kind, b"")
    with suppress(zlib.error):
        return len(zlib.decompressobj().decompress(packed, max(limit, 0) + 1))
    return 0
