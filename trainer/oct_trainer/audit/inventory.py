"""Every file of a data set, read once: what its place says of it, what its bytes say, and a fingerprint of its picture.

What training would refuse is an entry like any other here, with the reason; what training would not look at is listed
as ignored. A picture is dropped as soon as its fingerprint is taken.
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from oct_edge.errors import ScanError
from oct_edge.reading import read_bytes
from oct_edge.scan import PICTURES, decode_scan
from oct_trainer.audit.fingerprint import fingerprint
from oct_trainer.layout import Listed, as_utf8, read_layout


@dataclass(frozen=True, eq=False)
class Content:
    """What the bytes of a readable scan say. `table` is a short hash of the JPEG quantization tables."""

    sha256: str
    bytes: int
    width: int
    height: int
    mode: str
    table: str
    picture: np.ndarray

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, eq=False)
class Entry(Listed):
    """One file; `problem` is the code and message of why there is no `content`."""

    content: Content | None = None
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class Inventory:
    """All entries by name, and what lies beside them and is never read, `foreign` folders of other classes among it."""

    entries: tuple[Entry, ...]
    ignored: tuple[str, ...]
    foreign: tuple[str, ...] = ()


def take_inventory(root: Path, on_progress: Callable[[int, int], None] | None = None) -> Inventory:
    """Read every scan under `root`, or every scan that the CSV `root` names; about 3 kB of memory each.

    Raises:
        DataSetError: nothing under `root` has one of the layouts, or a folder in it is closed.
    """
    layout = read_layout(root)
    entries = []
    for done, scan in enumerate(layout.scans, 1):
        entries.append(_read(scan))
        if on_progress:
            on_progress(done, len(layout.scans))
    rows = [f"{as_utf8(root.name)}, line {fault.line}" for fault in layout.faults]
    return Inventory(tuple(entries), (*layout.ignored, *rows), layout.foreign)


def _read(scan: Listed) -> Entry:
    try:
        data = read_bytes(scan.path)
        pixels = decode_scan(data, scan.path.name, PICTURES).pixels
    except ScanError as error:
        return Entry(**vars(scan), problem=(error.code, as_utf8(error.message)))
    height, width = pixels.shape
    mode, table = _encoding(data)
    digest = hashlib.sha256(data).hexdigest()
    return Entry(**vars(scan), content=Content(digest, len(data), width, height, mode, table, fingerprint(pixels)))


def _encoding(data: bytes) -> tuple[str, str]:
    """The pixel mode, and which quantization tables the file was written with; PNG has none."""
    with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=PICTURES) as image:
        tables = getattr(image, "quantization", None)
        if not tables:
            return image.mode, str(image.format)
        content = repr([(key, tuple(tables[key])) for key in sorted(tables)])
        return image.mode, hashlib.sha256(content.encode()).hexdigest()[:8]
