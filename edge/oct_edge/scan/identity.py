"""What a scan is, what a file of some format holds, and how much of it may be asked for."""

import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from oct_edge.errors import NotEnoughMemory, ScanDamaged, ScanError, ScanTooLarge
from oct_edge.reading import reason_of

MAX_PIXELS = 16_000_000  # the largest B-scans on the market are about 2000 x 2000
MAX_SIDE = 32_767
MAX_FRAMES = 1024  # the densest volumes on the market have 512

SUFFIX_MISMATCH = "suffix_mismatch"
WINDOW_CLIPPED = "window_clipped"
BURNED_IN = "burned_in_annotation"

_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error),
)

logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # what it logs, it raises too, or it does not matter here


@dataclass(frozen=True, eq=False)
class Scan:
    """One grey B-scan.

    `pixels` is uint8 `[height, width]`, `sha256` the hex digest of the bytes that were read, `name` what the source
    was called, `frame` its number in a volume, from 1, and `laterality` `"R"` or `"L"`, both None where the source does
    not say. `notes` are codes of what is to be known besides.
    """

    pixels: np.ndarray
    sha256: str
    name: str
    frame: int | None = None
    laterality: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """One grey picture as its format's reader gives it: uint8 `[height, width]`, and notes."""

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Content:
    """What a format's reader found: how many pictures, and how each, counted from 0, is decoded on request."""

    count: int
    decode: Callable[[int], Picture]
    laterality: str | None = None
    notes: tuple[str, ...] = ()


def require_size(width: int, height: int, name: str) -> None:
    """Turn a picture away by what its header says, before anything is decoded."""
    if width < 1 or height < 1:
        raise ScanDamaged(f"{name}: the header announces a picture without pixels.")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ScanTooLarge(f"{name}: {width} x {height} pixels are more than a B-scan has.")


@contextmanager
def refusing(kind: str, name: str, errors: tuple[type[Exception], ...] = _DECODER_ERRORS) -> Iterator[None]:
    """Whatever a decoder raises becomes a `ScanError`. What it said is repeated, unless it may raise any `Exception`:
    such a one quotes what it read, and a patient may be named there."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except ScanError:
        raise
    except Image.DecompressionBombError:
        raise ScanTooLarge(f"{name}: the header announces far more pixels than a B-scan has.") from None
    except MemoryError as error:
        raise NotEnoughMemory(f"{name}: there is not enough memory to decode it.") from error
    except errors as error:
        silent = Exception in errors
        said = "" if silent else f" ({reason_of(error)})"
        raise ScanDamaged(f"{name}: the {kind} does not decode to its end{said}.") from (None if silent else error)
