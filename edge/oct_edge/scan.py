"""Bytes become a `Scan` here, and every bad input ends here.

A `Scan` is a grey picture and the identity of the bytes it came from. A file is opened once: the bytes that are hashed
are the bytes that are decoded, whatever happens to the path meanwhile. Pillow reports damage through half a dozen
exception types, and some of it not at all; callers see only the `ScanError` tree.
"""

import hashlib
import os
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from oct_edge.errors import (
    NotEnoughMemory,
    ScanDamaged,
    ScanEmpty,
    ScanError,
    ScanTooLarge,
    UnsupportedFormat,
    UnsupportedPixels,
)
from oct_edge.reading import SUFFIXES, read_bytes, reason_of

MAX_PIXELS = 16_000_000  # the largest B-scans on the market are about 2000 x 2000
COLOUR_TOLERANCE = 48  # grey levels between channels; JPEG chroma noise and tinted exports stay below

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_JPEG_BLOCK = 8  # rows that are coded together
_MORE_DATA = bytes(range(1, 255)) * 4
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError)
_WITH_ALPHA = ("LA", "PA", "RGBA")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class Scan:
    """One grey B-scan.

    `pixels` is uint8 `[height, width]`, `sha256` the hex digest of the bytes that were read, `name` what the source
    was called, `frame` its index in a volume and `laterality` `"R"` or `"L"`, both None where the source does not say.
    """

    pixels: np.ndarray
    sha256: str
    name: str
    frame: int | None = None
    laterality: str | None = None


def read_scan(path: str | os.PathLike[str]) -> Scan:
    """The scan in a JPEG or PNG file.

    Raises:
        ScanError: any of its subclasses; no other exception leaves this function.
    """
    path = Path(path)
    return decode_scan(read_bytes(path), path.name)


def expand_paths(paths: Iterable[Path], *, recursive: bool = False) -> list[Path]:
    """The files that are meant: a folder stands for the scans in it, by name; anything else for itself.

    So does a folder without scans, or a subfolder that may not be entered: reading it will say why.
    """
    files: list[Path] = []
    for path in paths:
        found = _found_in(path, recursive) if _is_dir(path) else []
        files += found or [path]
    return files


def decode_scan(data: bytes, name: str) -> Scan:
    """The scan in the bytes of a JPEG or PNG file; `name` is used in messages and kept in the result.

    Raises:
        ScanError: any of its subclasses; no other exception leaves this function.
    """
    if not data:
        raise ScanEmpty(f"{name}: the file is empty.")
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise UnsupportedFormat(f"{name}: the content is neither JPEG nor PNG.")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=[kind]) as image:
            _check_size(image, name)
            _check_whole(data, kind)
            image.load()
            grey = _grey(image, name)
            if kind == "JPEG":
                _check_ends(grey, data, name)
            pixels = _upright(grey, image)
    except ScanError:
        raise
    except Image.DecompressionBombError as error:
        raise ScanTooLarge(f"{name}: the header announces far more pixels than a B-scan has.") from error
    except MemoryError as error:
        raise NotEnoughMemory(f"{name}: there is not enough memory to decode it.") from error
    except _DECODER_ERRORS as error:
        raise ScanDamaged(f"{name}: the {kind} does not decode to its end ({reason_of(error)}).") from error
    return Scan(pixels, hashlib.sha256(data).hexdigest(), name)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ScanTooLarge(f"{name}: {width} x {height} pixels are more than a B-scan has.")


def _check_whole(data: bytes, kind: str) -> None:
    """Find the damage that Pillow decodes without a word: bit errors in a PNG, a JPEG that ends in zeros."""
    if kind == "PNG":
        Image.open(BytesIO(data), formats=[kind]).verify()
    elif data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise EOFError("no end marker")


def _upright(grey: np.ndarray, image: Image.Image) -> np.ndarray:
    """The pixels turned as the EXIF orientation says. `ImageOps.exif_transpose` also rewrites the EXIF, and trips."""
    method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return grey if method is None else np.asarray(Image.fromarray(grey).transpose(method))


def _check_ends(grey: np.ndarray, data: bytes, name: str) -> None:
    """Find a JPEG that lacks data before its end marker: the decoder fills what is missing with one grey value.

    A border or a dark background can be of one value too. What tells them apart is that more data before the end marker
    changes a picture that lacks data, and is passed over by one that has all of its own. Bit errors in the middle often
    leave a picture too little.
    """
    end = data.rfind(_JPEG_END)
    if np.array_equal(_thumbnail(data), _thumbnail(data[:end] + _MORE_DATA + data[end:])):
        return
    blank = (grey == grey[-1, 0]).all(axis=1)
    rows = len(blank) if blank.all() else int(blank[::-1].argmin())
    where = f" (the last {rows} rows are blank)" if rows else ""
    raise ScanDamaged(f"{name}: the file ends in the middle of the picture{where}.")


def _thumbnail(data: bytes) -> np.ndarray:
    """One pixel for each block of a JPEG, which takes a third of the time of all pixels."""
    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        image.draft("L", (image.width // _JPEG_BLOCK, image.height // _JPEG_BLOCK))
        return np.asarray(image)


def _grey(image: Image.Image, name: str) -> np.ndarray:
    """uint8 `[height, width]`; every mode has one defined meaning or is refused, and nothing is clipped."""
    see_through = image.mode in _WITH_ALPHA or "transparency" in image.info
    if image.mode == "L" and not see_through:
        return np.asarray(image)
    if image.mode.startswith("I;16") and not see_through:
        # Pillow's own convert("L") clips at 255. The full 16-bit range maps to 0..255, as PNG defines samples.
        return np.round(np.asarray(image).astype(np.float32) / 257.0).astype(np.uint8)
    if image.mode not in ("L", "P", "RGB", *_WITH_ALPHA):
        raise UnsupportedPixels(f"{name}: pixel mode {image.mode} has no defined grey value here.")
    if see_through:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise UnsupportedPixels(f"{name}: parts of the picture are transparent.")
    return _grey_of_colour(image.convert("RGB"), name)


def _grey_of_colour(image: Image.Image, name: str) -> np.ndarray:
    """A B-scan saved as colour is still grey; a coloured picture is something else."""
    channels = np.asarray(image).astype(np.int16)
    spread = channels.max(axis=2) - channels.min(axis=2)
    if np.percentile(spread, 99) > COLOUR_TOLERANCE:
        raise UnsupportedPixels(f"{name}: a colour picture, not a grey B-scan.")
    return np.asarray(image.convert("L"))


def _found_in(folder: Path, recursive: bool) -> list[Path]:
    inside = folder.rglob("*") if recursive else folder.glob("*")
    return sorted(p for p in inside if not p.name.startswith(".") and (_is_named_as_scan(p) or _is_closed(p)))


def _is_named_as_scan(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _is_closed(path: Path) -> bool:
    return _is_dir(path) and not os.access(path, os.R_OK | os.X_OK)


def _is_dir(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  pathlib's raises where a name is too long or a parent is closed
