"""TIFF: its directories are walked here, so that what cannot be meant is turned away before Pillow and libtiff see it.

A file is one scan or a volume, one page a frame. Pages that say they are a smaller copy or a mask of another are no
frames. JPEG inside of TIFF is refused: libtiff fills what is missing of it with grey and says nothing.
"""

import ctypes
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from oct_edge.errors import ScanDamaged, ScanTooLarge, UnsupportedCompression, UnsupportedPixels
from oct_edge.scan.identity import MAX_FRAMES, Content, Picture, refusing, require_size
from oct_edge.scan.raster import grey_of

MAX_TAGS, MAX_TAG_BYTES = 512, 4 * 2**20  # of one page; a B-scan of 2000 strips has 32 kB

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_SAMPLE_FORMAT = 339
_WANTED = (_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT)
_COPY_OR_MASK = 1 | 4
_UNSIGNED = 1
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = range(4)
_READ = {1, 5, 8, 32773, 32946, 50000}  # none, LZW, deflate, PackBits, deflate, Zstandard
_NAMED = {2: "CCITT", 3: "CCITT fax", 4: "CCITT fax", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 34925: "LZMA"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_SAMPLES = 8  # of one pixel that are looked at


@dataclass(frozen=True)
class Page:
    """One directory: its place in the chain, and its tags that are looked at."""

    index: int
    tags: Mapping[int, tuple[int, ...]]

    def first(self, tag: int, default: int = 0) -> int:
        return next(iter(self.tags.get(tag, ())), default)

    @property
    def bits(self) -> int:
        return self.first(_BITS, 1)


def open_tiff(data: bytes, name: str) -> Content:
    with refusing("TIFF", name):
        pages = [page for page in _pages(data, name) if not page.first(_SUBFILE) & _COPY_OR_MASK]
        if not pages:
            raise ScanDamaged(f"{name}: the TIFF has no page.")
        return Content(len(pages), _Decoder(data, name, pages))


class _Decoder:
    """Decodes one page after the other with one Pillow image, which knows where the pages before were."""

    def __init__(self, data: bytes, name: str, pages: list[Page]) -> None:
        self._data, self._name, self._pages = data, name, pages
        self._image: Image.Image | None = None

    def __call__(self, number: int) -> Picture:
        page = self._pages[number]
        _require_readable(page, self._name)
        with refusing("TIFF", self._name):
            image = self._at(page)
            require_size(*image.size, self._name)
            image.load()  # also turns it upright
            grey = np.array(grey_of(image, self._name, bits=page.bits))
        if page.bits > 8 and page.first(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            grey = 255 - grey  # Pillow does so up to 8 bits
        return Picture(grey)

    def _at(self, page: Page) -> Image.Image:
        try:
            if self._image is None:
                _silence_libtiff()
                self._image = Image.open(BytesIO(self._data), formats=["TIFF"])
            self._image.seek(page.index)
        except (SyntaxError, UnidentifiedImageError) as error:
            raise UnsupportedPixels(f"{self._name}: samples of a kind without a defined grey value here.") from error
        return self._image


def _require_readable(page: Page, name: str) -> None:
    require_size(page.first(_WIDTH), page.first(_HEIGHT), name)
    compression, photometric = page.first(_COMPRESSION, 1), page.first(_PHOTOMETRIC, -1)
    bits, formats = set(page.tags.get(_BITS, (1,))), set(page.tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    if compression not in _READ:
        code = _NAMED.get(compression, f"code {compression}")
        raise UnsupportedCompression(f"{name}: the TIFF is compressed as {code}, which is not read.")
    if formats != {_UNSIGNED}:
        raise UnsupportedPixels(f"{name}: pixels that are signed or no integers have no defined grey value here.")
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE):
        raise UnsupportedPixels(f"{name}: the TIFF is neither grey nor RGB (photometric interpretation {photometric}).")
    allowed = {_RGB: ({8}, {16}), _PALETTE: ({1}, {2}, {4}, {8})}.get(photometric, ({2}, {4}, {8}, {12}, {16}))
    if bits not in allowed:
        raise UnsupportedPixels(f"{name}: {page.bits} bits a sample have no defined grey value here.")


def _pages(data: bytes, name: str) -> Iterator[Page]:
    """Each directory of the chain once. Raises what `refusing` catches where the chain leaves the file."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] == b"+\0"
    pointer = order + ("Q" if big else "I")
    place, seen = _one(pointer, data, 8 if big else 4), set[int]()
    while place:
        if place in seen:
            raise ScanDamaged(f"{name}: the pages of the TIFF lead in a circle.")
        if len(seen) >= MAX_FRAMES:
            raise ScanTooLarge(f"{name}: more than {MAX_FRAMES} pages.", hint="Export fewer B-scans into one file.")
        seen.add(place)
        tags, end = _tags(data, place, order, big, name)
        yield Page(len(seen) - 1, tags)
        place = _one(pointer, data, end)


def _tags(data: bytes, place: int, order: str, big: bool, name: str) -> tuple[dict[int, tuple[int, ...]], int]:
    """What is looked at of a directory, and the place behind its entries."""
    count = _one(order + ("Q" if big else "H"), data, place)
    place += 8 if big else 2
    entry = struct.Struct(order + ("HHQ" if big else "HHI"))
    step, tags, total = (20 if big else 12), {}, 0
    if count > MAX_TAGS:
        raise ScanTooLarge(f"{name}: {count} tags are more than a page has.")
    for start in range(place, place + count * step, step):
        tag, kind, number = entry.unpack_from(data, start)
        total += number * _SIZES.get(kind, 1)
        if total > MAX_TAG_BYTES:
            raise ScanTooLarge(f"{name}: the tags of a page are larger than a page.")
        if tag in _WANTED and kind in _NUMBERS:
            at = start + entry.size
            if number * _SIZES[kind] > (8 if big else 4):
                at = _one(order + ("Q" if big else "I"), data, at)
            tags[tag] = struct.unpack_from(order + _NUMBERS[kind] * min(number, _SAMPLES), data, at)
    return tags, place + count * step


def _one(form: str, data: bytes, place: int) -> int:
    return int(struct.unpack_from(form, data, place)[0])


@cache
def _silence_libtiff() -> None:
    """It prints its complaints to stderr, which is for ours, and Pillow raises them all the same."""
    with suppress(OSError, AttributeError, StopIteration):  # not a library of its own: then it goes on printing
        lines = Path("/proc/self/maps").read_text().splitlines()
        library = ctypes.CDLL(next(line.split(maxsplit=5)[5] for line in lines if "/libtiff" in line))
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
