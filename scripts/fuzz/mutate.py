"""The mutation of a number: the same for ever, so that what breaks the reader can be made again from two numbers."""

import random
import struct
import zlib
from collections.abc import Mapping

_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_WIDTHS = ("B", "<H", ">H", "<I", ">I", "<Q")
_PNG = b"\x89PNG\r\n\x1a\n"


def mutation(seeds: Mapping[str, bytes], series: int, number: int) -> tuple[str, bytes]:
    """The name of the seed file, and its bytes after one to four changes."""
    rng = random.Random(f"{series}/{number}")
    names = sorted(seeds)
    name = rng.choice(names)
    data = bytearray(seeds[name])
    for _ in range(rng.randint(1, 4)):
        _CHANGES[rng.randrange(len(_CHANGES))](rng, data, seeds[rng.choice(names)])
    if name.startswith("png") and rng.random() < 0.7:
        data = _mended(data)  # or a checksum would keep nearly all of them from the decoder
    return name, bytes(data)


def _flip(rng: random.Random, data: bytearray, _: bytes) -> None:
    for _ in range(rng.randint(1, 8)):
        if data:
            data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, data: bytearray, _: bytes) -> None:
    start = _place(rng, data)
    data[start : start + rng.randint(0, 8)] = rng.randbytes(rng.randint(0, 8))


def _number(rng: random.Random, data: bytearray, _: bytes) -> None:
    """What may be a length, a count, an offset or a size becomes another one."""
    form = rng.choice(_WIDTHS)
    size = struct.calcsize(form)
    start = _place(rng, data)
    data[start : start + size] = struct.pack(form, rng.choice(_NUMBERS) & ((1 << 8 * size) - 1))


def _cut(rng: random.Random, data: bytearray, _: bytes) -> None:
    del data[_place(rng, data) :]


def _zero(rng: random.Random, data: bytearray, _: bytes) -> None:
    start = _place(rng, data)
    length = min(rng.randint(1, 512), len(data) - start)
    data[start : start + length] = bytes(length)


def _repeat(rng: random.Random, data: bytearray, _: bytes) -> None:
    start = _place(rng, data)
    data[start:start] = data[start : start + rng.randint(1, 256)] * rng.randint(1, 4)


def _remove(rng: random.Random, data: bytearray, _: bytes) -> None:
    start = _place(rng, data)
    del data[start : start + rng.randint(1, 64)]


def _swap(rng: random.Random, data: bytearray, _: bytes) -> None:
    """Two pieces change places, as chunks, segments or directories that come in another order."""
    a, b, c, d = sorted(_place(rng, data) for _ in range(4))
    data[a:d] = data[c:d] + data[b:c] + data[a:b]


def _splice(rng: random.Random, data: bytearray, other: bytes) -> None:
    start, begin = _place(rng, data), rng.randrange(len(other))
    length = rng.randint(1, 256)
    data[start : start + length] = other[begin : begin + length]


_CHANGES = (_flip, _flip, _overwrite, _number, _number, _number, _cut, _zero, _repeat, _remove, _swap, _splice)


def _place(rng: random.Random, data: bytearray) -> int:
    """Mostly anywhere, often in the first bytes, where headers are."""
    limit = min(len(data), 512) if rng.random() < 0.5 else len(data)
    return rng.randrange(limit) if limit else 0


def _mended(data: bytearray) -> bytearray:
    place = len(_PNG)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4])
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return data
