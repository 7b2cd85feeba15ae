"""JPEG, and the damage in one that decoders pass over in silence."""

from io import BytesIO

import numpy as np
from PIL import Image

from oct_edge.errors import ScanDamaged
from oct_edge.scan.identity import Content, Picture, refusing, require_size
from oct_edge.scan.raster import grey_of, upright

MAGIC = b"\xff\xd8\xff"

_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_BLOCK = 8  # rows and columns that are coded together
_MORE_DATA = bytes(range(1, 255)) * 4


def open_jpeg(data: bytes, name: str) -> Content:
    return Content(1, lambda _: Picture(decode_jpeg(data, name)))


def decode_jpeg(data: bytes, name: str, kind: str = "JPEG", size: tuple[int, int] | None = None) -> np.ndarray:
    """The grey values, upright; with `size`, only of a picture that has this width and height.

    Raises:
        ScanError: any of its subclasses; no other exception leaves this function.
    """
    with refusing(kind, name), Image.open(BytesIO(data), formats=["JPEG"]) as image:
        require_size(*image.size, name)
        if size not in (None, image.size):
            raise ScanDamaged(f"{name}: the {kind} has another size than its file says.")
        if data.rfind(_END) < data.rfind(_SCAN):
            raise EOFError("no end marker")
        image.load()
        grey = grey_of(image, name)
        _require_filled(grey, data, name)
        return upright(grey, image)


def _require_filled(grey: np.ndarray, data: bytes, name: str) -> None:
    """Find a JPEG that lacks data before its end marker: the decoder fills what is missing with one grey value.

    A border or a dark background can be of one value too. What tells them apart is that more data before the end marker
    changes a picture that lacks data, and is passed over by one that has all of its own. Bit errors in the middle often
    leave a picture too little.
    """
    end = data.rfind(_END)
    if np.array_equal(_thumbnail(data), _thumbnail(data[:end] + _MORE_DATA + data[end:])):
        return
    blank = (grey == grey[-1, 0]).all(axis=1)
    rows = len(blank) if blank.all() else int(blank[::-1].argmin())
    where = f" (the last {rows} rows are blank)" if rows else ""
    raise ScanDamaged(f"{name}: the file ends in the middle of the picture{where}.")


def _thumbnail(data: bytes) -> np.ndarray:
    """One pixel for each block of a JPEG, which takes a third of the time of all pixels."""
    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        image.draft("L", (image.width // _BLOCK, image.height // _BLOCK))
        return np.asarray(image)
