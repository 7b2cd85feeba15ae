"""Bytes become a `Scan` here, and every bad input ends here.

A `Scan` is a grey picture and the identity of the bytes it came from. A file is opened once: the bytes that are hashed
are the bytes that are decoded, whatever happens to the path meanwhile. Pillow reports damage through half a dozen
exception types; callers see only the `ScanError` tree.
"""

import hashlib
import os
import stat
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from oct_edge.errors import (
    ScanDamaged,
    ScanEmpty,
    ScanError,
    ScanNotFound,
    ScanTooLarge,
    ScanUnreadable,
    UnsupportedFormat,
    UnsupportedPixels,
)

SUFFIXES = (".jpeg", ".jpg", ".png")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 16_000_000  # the largest B-scans on the market are about 2000 x 2000
COLOUR_TOLERANCE = 48  # grey levels between channels; JPEG chroma noise and tinted exports stay below

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, struct.error, MemoryError, EOFError, IndexError)

# A picture in Pillow's warning zone is far over MAX_PIXELS; as an error it is caught below instead of printed.
warnings.simplefilter("error", Image.DecompressionBombWarning)


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
    """The files that are meant: a folder stands for the scans in it, by name; anything else for itself."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = path.rglob("*") if recursive else path.glob("*")
            found = sorted(p for p in inside if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
            files += found or [path]
        else:
            files.append(path)
    return files


def read_bytes(path: Path) -> bytes:
    """All bytes of a regular file of at most `MAX_BYTES`; a FIFO or a device is refused without blocking on it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ScanUnreadable(f"{path}: not a regular file.", hint="Name a scan or a folder that holds some.")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ScanNotFound(f"{path}: there is no such file.") from error
    except (OSError, ValueError) as error:
        raise ScanUnreadable(f"{path}: cannot be read ({_reason(error)}).") from error
    if len(data) > MAX_BYTES:
        raise ScanTooLarge(f"{path}: larger than {MAX_BYTES >> 20} MiB.")
    return data


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
        with Image.open(BytesIO(data), formats=[kind]) as image:
            _check_size(image, name)
            image.load()
            pixels = _grey(ImageOps.exif_transpose(image), name)
    except ScanError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ScanTooLarge(f"{name}: the header announces far more pixels than a B-scan has.") from error
    except _DECODER_ERRORS as error:
        raise ScanDamaged(f"{name}: the {kind} does not decode to its end ({_reason(error)}).") from error
    return Scan(pixels, hashlib.sha256(data).hexdigest(), name)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ScanTooLarge(f"{name}: {width} x {height} pixels are more than a B-scan has.")


def _grey(image: Image.Image, name: str) -> np.ndarray:
    """uint8 `[height, width]`; every mode has one defined meaning or is refused, and nothing is clipped."""
    if image.mode == "L":
        return np.asarray(image)
    if image.mode.startswith("I;16"):
        # Pillow's own convert("L") clips at 255. The full 16-bit range maps to 0..255, as PNG defines samples.
        return np.round(np.asarray(image).astype(np.float32) / 257.0).astype(np.uint8)
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise UnsupportedPixels(f"{name}: parts of the picture are transparent.")
    if image.mode in ("LA", "P", "RGB", "RGBA", "PA"):
        return _grey_of_colour(image.convert("RGB"), name)
    raise UnsupportedPixels(f"{name}: pixel mode {image.mode} has no defined grey value here.")


def _grey_of_colour(image: Image.Image, name: str) -> np.ndarray:
    """A B-scan saved as colour is still grey; a coloured picture is something else."""
    channels = np.asarray(image).astype(np.int16)
    spread = channels.max(axis=2) - channels.min(axis=2)
    if np.percentile(spread, 99) > COLOUR_TOLERANCE:
        raise UnsupportedPixels(f"{name}: a colour picture, not a grey B-scan.")
    return np.asarray(image.convert("L"))


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).split("\n")[0][:120] or type(error).__name__
