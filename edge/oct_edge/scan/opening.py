"""The formats are told apart here, by content, and each file becomes `Frames`: one scan, or the frames of a volume."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from oct_edge.errors import ScanEmpty, ScanIsVolume, ScanUnreadable, UnsupportedFormat
from oct_edge.reading import DICOM, DICOM_AT, TIFF, read_bytes, read_pipe
from oct_edge.scan.identity import SUFFIX_MISMATCH, Content, Scan
from oct_edge.scan.jpeg import MAGIC as JPEG
from oct_edge.scan.jpeg import open_jpeg
from oct_edge.scan.paths import STDIN
from oct_edge.scan.png import MAGIC as PNG
from oct_edge.scan.png import open_png
from oct_edge.scan.tiff import open_tiff

PICTURES = ("JPEG", "PNG")
KINDS = (*PICTURES, "TIFF", "DICOM")

_SUFFIXES = {
    **{".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG"},
    **{".tiff": "TIFF", ".tif": "TIFF", ".dcm": "DICOM", ".dicom": "DICOM"},
}
_BARE_DICOM = (b"\x02\0\0\0", b"\x02\0\x01\0", b"\x02\0\x02\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")


class Frames:
    """What a file holds: one scan, or the frames of a volume. Each is decoded when it is asked for, and not kept.

    `name` is what the file was called, `sha256` the digest of its bytes, `laterality` the eye if the file says so. Not
    thread-safe.
    """

    def __init__(self, content: Content, sha256: str, name: str, notes: tuple[str, ...]) -> None:
        self.name, self.sha256, self.laterality = name, sha256, content.laterality
        self._content, self._notes = content, (*notes, *content.notes)

    def __len__(self) -> int:
        return self._content.count

    @property
    def is_volume(self) -> bool:
        return len(self) > 1

    @property
    def numbers(self) -> Iterable[int | None]:
        """What `scan` takes, in order: the frames' numbers from 1, or None for the only scan."""
        return range(1, len(self) + 1) if self.is_volume else (None,)

    def scan(self, frame: int | None = None) -> Scan:
        """The scan, or the one of this frame.

        Raises:
            ScanError: this one cannot be had; the others of a volume may be.
        """
        picture = self._content.decode((frame or 1) - 1)
        notes = (*self._notes, *picture.notes)
        return Scan(picture.pixels, self.sha256, self.name, frame, self.laterality, notes)


def open_frames(data: bytes, name: str, kinds: Iterable[str] = KINDS) -> Frames:
    """What the bytes of a file hold; `name` is used in messages and kept in the result. Nothing is decoded yet.

    Raises:
        ScanError: any of its subclasses.
        MissingExtra: a DICOM file, and nothing is installed that reads it.
    """
    if not data:
        raise ScanEmpty(f"{name}: the file is empty.")
    kind = _kind_of(data)
    if kind is None or kind not in kinds:
        raise _unsupported(data, name, kinds)
    content = _OPEN[kind](data, name)
    meant = _SUFFIXES.get(os.path.splitext(name)[1].lower(), kind)  # noqa: PTH122  a name, not a path
    notes = () if meant == kind else (SUFFIX_MISMATCH,)
    return Frames(content, hashlib.sha256(data).hexdigest(), name, notes)


def decode_scan(data: bytes, name: str, kinds: Iterable[str] = KINDS) -> Scan:
    """The one scan in the bytes of a file; `name` is used in messages and kept in the result.

    Raises:
        ScanError: any of its subclasses, `ScanIsVolume` among them.
        MissingExtra: a DICOM file, and nothing is installed that reads it.
    """
    frames = open_frames(data, name, kinds)
    if frames.is_volume:
        raise ScanIsVolume(f"{name}: a volume of {len(frames)} frames, not a single scan.")
    return frames.scan()


def read_scan(path: str | os.PathLike[str]) -> Scan:
    """The one scan in a file. Raises as `decode_scan`."""
    path = Path(path)
    return decode_scan(read_bytes(path), path.name)


def read_scans(path: str | os.PathLike[str]) -> Iterator[Scan]:
    """The scans of a file or of standard input, one a frame, each decoded when its turn comes. Raises as `decode_scan`.

    A frame that cannot be decoded ends it; `open_frames` lets others be asked for.
    """
    frames = open_frames(*read_input(Path(path)))
    for number in frames.numbers:
        yield frames.scan(number)


def read_input(path: Path) -> tuple[bytes, str]:
    """All bytes of a file, which may be a volume, or of standard input (`STDIN`), and what it is called.

    Raises:
        ScanError: they cannot be had.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise ScanUnreadable("stdin: is closed.", hint="Name a scan, or send one through a pipe: `… < scan.png`.")
        return read_pipe(cast(BufferedReader, sys.stdin.buffer), "stdin"), "stdin"
    return read_bytes(path, volumes=True), path.name


def _kind_of(data: bytes) -> str | None:
    if data[DICOM_AT:].startswith(DICOM):
        return "DICOM"
    starts = ((JPEG, "JPEG"), (PNG, "PNG"), (TIFF, "TIFF"))
    return next((kind for start, kind in starts if data.startswith(start)), None)


def _unsupported(data: bytes, name: str, kinds: Iterable[str]) -> UnsupportedFormat:
    if data.startswith(_BARE_DICOM) and "DICOM" in kinds:
        hint = "Export it again as a DICOM file (part 10), not as a bare data set."
        return UnsupportedFormat(f"{name}: perhaps DICOM, but without the mark of a DICOM file.", hint=hint)
    *others, last = kinds
    return UnsupportedFormat(f"{name}: the content is neither {', '.join(others)} nor {last}.")


def _open_dicom(data: bytes, name: str) -> Content:
    from oct_edge.scan.dicom import open_dicom

    return open_dicom(data, name)


_OPEN: dict[str, Callable[[bytes, str], Content]] = {
    "JPEG": open_jpeg,
    "PNG": open_png,
    "TIFF": open_tiff,
    "DICOM": _open_dicom,
}
