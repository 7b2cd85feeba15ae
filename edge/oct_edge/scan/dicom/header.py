"""The bytes of a DICOM file become the few facts that its pixels need, within stated bounds of work and memory.

pydicom parses them, but only the elements that are named here, and through a reader that counts: a header can hold
millions of elements, or unpack to gigabytes.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from oct_edge.errors import ScanDamaged, ScanTooLarge
from oct_edge.reading import DICOM, DICOM_AT
from oct_edge.scan.identity import MAX_FRAMES, require_size

if TYPE_CHECKING:
    from pydicom import Dataset

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"

MAX_READS, MAX_READS_A_FRAME = 10_000, 200  # files that describe each frame of a volume take about 90 for it
MAX_VALUE, MAX_INFLATED = 1 << 20, 16 << 20
_STEP = 1 << 20
_UNDEFINED = 0xFFFFFFFF
_EACH_FRAME, _FLOATS, _PIXELS = 0x52009230, 0x7FE00008, 0x7FE00010
_LONG = (b"OB", b"OW", b"UN")
_SHARED = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "FrameAnatomySequence")
_WANTED = (
    *("SOPClassUID", "Modality", "Laterality", "ImageLaterality", "SamplesPerPixel", "PhotometricInterpretation"),
    *("PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "BurnedInAnnotation", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence"),
)


@dataclass(frozen=True)
class Window:
    """Which real values are to be shown, as VOI LUT function `LINEAR`, `LINEAR_EXACT` or another."""

    centre: float
    width: float
    function: str


@dataclass(frozen=True)
class Header:
    """What the pixels mean. They are in `body` from `pixels_at` (None: there are none), `length` bytes or up to their
    end mark (None), coded in `syntax`."""

    syntax: str
    sop_class: str
    modality: str
    laterality: str | None
    burned_in: bool
    photometric: str
    samples: int
    planar: bool
    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    slope: float
    intercept: float
    window: Window | None
    has_tables: bool
    body: bytes
    pixels_at: int | None
    length: int | None


class _Counted(BytesIO):
    """A file in memory that ends the patience of whoever reads it too often, or too much at once."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.left, self._called = MAX_READS, name

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ScanTooLarge(f"{self._called}: the header of the DICOM has more parts than a scan needs.")
        if size is not None and size > MAX_VALUE:
            raise ScanTooLarge(f"{self._called}: a value in the header of the DICOM is larger than any has to be.")
        return super().read(size)


def read_header(data: bytes, name: str) -> Header:
    """The facts. Raises `ScanError`, and whatever pydicom raises, which may quote the file."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset

    file = _Counted(data, name)
    file.seek(DICOM_AT + len(DICOM))
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = str(meta.get("TransferSyntaxUID") or "")
    if not syntax:
        raise ScanDamaged(f"{name}: the DICOM does not say how it is coded.")
    body = data
    if syntax == DEFLATED:
        body = _inflated(memoryview(data)[file.tell() :], name)
        file = _Counted(body, name)
    implicit, little = syntax == IMPLICIT, syntax != BIG_ENDIAN
    wanted: list[Any] = [tag_for_keyword(keyword) for keyword in _WANTED]
    content = read_dataset(file, implicit, little, stop_when=lambda tag, *_: tag >= _FLOATS, specific_tags=list(wanted))
    place, length = _pixels(body, file.tell(), implicit, "little" if little else "big")
    return _header_of(content, name, syntax=syntax, body=body, pixels_at=place, length=length)


def _header_of(content: "Dataset", name: str, **known: Any) -> Header:
    rows, columns = (int(_first(content, keyword) or 0) for keyword in ("Rows", "Columns"))
    if known["pixels_at"] is not None:
        require_size(columns, rows, name)
    stored = int(_first(content, "BitsStored") or 0)
    slope, intercept = _first(content, "RescaleSlope"), _first(content, "RescaleIntercept")
    window = _window(content)
    return Header(
        sop_class=_text(content, "SOPClassUID"),
        modality=_text(content, "Modality"),
        laterality=_laterality(content),
        burned_in=_text(content, "BurnedInAnnotation") == "YES",
        photometric=_text(content, "PhotometricInterpretation"),
        samples=int(_first(content, "SamplesPerPixel") or 1),
        planar=bool(_first(content, "PlanarConfiguration")),
        frames=_frames(content, name),
        rows=rows,
        columns=columns,
        bits_allocated=int(_first(content, "BitsAllocated") or 0),
        bits_stored=stored,
        high_bit=stored - 1 if (high := _first(content, "HighBit")) is None else int(high),
        signed=bool(_first(content, "PixelRepresentation")),
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        window=window,
        has_tables="ModalityLUTSequence" in content or ("VOILUTSequence" in content and window is None),
        **known,
    )


def _frames(content: "Dataset", name: str) -> int:
    frames = int(_first(content, "NumberOfFrames") or 1)
    if frames > MAX_FRAMES:
        raise ScanTooLarge(f"{name}: more than {MAX_FRAMES} frames.", hint="Export fewer B-scans into one file.")
    if frames < 1:
        raise ScanDamaged(f"{name}: the DICOM announces no frame.")
    return frames


def _window(content: "Dataset") -> Window | None:
    """The first of those that are given."""
    centre, width = _first(content, "WindowCenter"), _first(content, "WindowWidth")
    if centre is None or width is None:
        return None
    return Window(float(centre), float(width), _text(content, "VOILUTFunction") or "LINEAR")


def _laterality(content: "Dataset") -> str | None:
    """Of the image, or of the series; None where they contradict each other or name no single eye."""
    said = {_text(content, key) for key in ("ImageLaterality", "Laterality", "FrameLaterality")} - {""}
    return said.pop() if len(said) == 1 and said <= {"R", "L"} else None


def _text(content: "Dataset", keyword: str) -> str:
    value = _first(content, keyword)
    return "" if value is None else str(value).strip().upper()


def _first(content: "Dataset", keyword: str) -> Any:
    """The first value of an element, of the data set or of what it says for all frames; None where there is none."""
    for part in _parts(content):
        value = part.get(keyword)
        if isinstance(value, list) or (hasattr(value, "__getitem__") and not isinstance(value, str | bytes)):
            value = next(iter(value), None)
        if value not in (None, ""):
            return value
    return None


def _parts(content: "Dataset") -> Iterator["Dataset"]:
    yield content
    for shared in (content.get("SharedFunctionalGroupsSequence") or [])[:1]:
        for keyword in _SHARED:
            yield from (shared.get(keyword) or [])[:1]


def _pixels(body: bytes, place: int, implicit: bool, order: Any) -> tuple[int | None, int | None]:
    """Where the integers of the pixels begin, and how many bytes they are; (None, None) where there are none.

    Raises:
        ValueError: the element is cut, or has another representation than pixels have.
    """
    element = body[place : place + 12]
    if not element:
        return None, None
    group, number = int.from_bytes(element[:2], order), int.from_bytes(element[2:4], order)
    if (group << 16) + number != _PIXELS:
        return None, None
    if not implicit and element[4:6] not in _LONG:
        raise ValueError("pixels of an unknown representation")
    at = 4 if implicit else 8
    if len(element) < at + 4:
        raise ValueError("cut in the header of the pixels")
    length = int.from_bytes(element[at : at + 4], order)
    return place + at + 4, None if length == _UNDEFINED else length


def _inflated(packed: memoryview, name: str) -> bytes:
    """What the deflated part unpacks to, after it was counted without keeping it."""
    counter, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, bytes(packed)
    while rest and not counter.eof:
        total += len(counter.decompress(rest, _STEP))
        rest = counter.unconsumed_tail
        if total > MAX_INFLATED:
            raise ScanTooLarge(f"{name}: the DICOM unpacks to more than {MAX_INFLATED >> 20} MiB.")
    return zlib.decompress(packed, -zlib.MAX_WBITS)
