"""One frame of a DICOM file after the other, out of its coding.

Plain pixels, baseline JPEG and run lengths are read here, with the checks that pictures in files of their own get, and
within the memory of one frame. The other codes are left to the decoders that pydicom finds: for JPEG 2000 that is
Pillow, for the rest what somebody installed.
"""

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from oct_edge.errors import ScanDamaged, UnsupportedCompression, UnsupportedPixels
from oct_edge.scan.dicom.header import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Header
from oct_edge.scan.dicom.levels import Levels
from oct_edge.scan.identity import Picture, refusing
from oct_edge.scan.jpeg import decode_jpeg
from oct_edge.scan.raster import grey_of_colour

_NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN)
_JPEG_BASELINE, _JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_RLE = "1.2.840.10008.1.2.5"
_RLE_HEADER, _RLE_ROOM = 64, 4096
_KIND = "frame of the DICOM"


class FrameDecoder:
    """Decodes a frame when it is asked for. In order, each is looked up once."""

    def __init__(self, header: Header, name: str) -> None:
        self._header, self._name = header, name
        self._levels = Levels(header, name)
        self._coded: Iterator[bytes] | None = None
        self._next = 0
        if header.syntax in _NATIVE:
            self._require_all_bytes()
        elif header.length is not None:
            raise ScanDamaged(f"{name}: the DICOM says that its pixels are compressed, and they are not.")

    def __call__(self, index: int) -> Picture:
        with refusing(_KIND, self._name, (Exception,)):
            values = self._values(index)
            if values.ndim == 3:
                return Picture(grey_of_colour(Image.fromarray(values), self._name))
            if self._header.samples != 1:
                return Picture(values)
            return self._levels.picture(values)

    def _values(self, index: int) -> np.ndarray:
        """The stored values `[rows, columns]`, or colours `[rows, columns, 3]`; of a coloured JPEG already grey."""
        header = self._header
        if header.syntax in _NATIVE:
            return self._native(index)
        coded = self._encapsulated(index)
        if header.syntax == _JPEG_BASELINE or (header.syntax == _JPEG_EXTENDED and header.bits_stored == 8):
            return decode_jpeg(coded, self._name, _KIND, (header.columns, header.rows))
        if header.syntax == _RLE:
            return self._run_length(coded)
        return self._by_pydicom(coded)

    def _native(self, index: int) -> np.ndarray:
        header, size = self._header, self._frame_bytes
        order = ">" if header.syntax == BIG_ENDIAN else "<"
        samples = header.rows * header.columns * header.samples
        start = (header.pixels_at or 0) + index * size
        return self._arranged(np.frombuffer(header.body, f"{order}u{header.bits_allocated // 8}", samples, start))

    def _arranged(self, samples: np.ndarray) -> np.ndarray:
        header = self._header
        if header.samples == 1:
            return self._significant(samples.reshape(header.rows, header.columns))
        if header.photometric != "RGB":
            raise UnsupportedPixels(f"{self._name}: colours that are not compressed are read as RGB only.")
        if header.planar:
            return np.ascontiguousarray(samples.reshape(3, header.rows, header.columns).transpose(1, 2, 0))
        return samples.reshape(header.rows, header.columns, 3)

    def _significant(self, values: np.ndarray) -> np.ndarray:
        """Without the bits above those that are stored, in which old files keep overlays; signed where they are."""
        bits = self._header.bits_stored
        values = values & ((1 << bits) - 1)
        if not self._header.signed:
            return values
        sign = 1 << (bits - 1)
        return (values.astype(np.int32) ^ sign) - sign

    def _run_length(self, coded: bytes) -> np.ndarray:
        """DICOM's run length code is PackBits in segments, one for each byte of the samples, the highest first."""
        header, width = self._header, self._header.bits_allocated // 8
        if len(coded) > 2 * self._frame_bytes + _RLE_ROOM:
            raise ScanDamaged(f"{self._name}: a frame of the DICOM is longer than its pixels can make it.")
        offsets = [int.from_bytes(coded[i : i + 4], "little") for i in range(0, _RLE_HEADER, 4)]
        count, starts = offsets[0], offsets[1:]
        if count != width * header.samples or any(start < _RLE_HEADER for start in starts[:count]):
            raise ScanDamaged(f"{self._name}: a frame of the DICOM has not the segments that its pixels need.")
        ends = [*starts[1:count], len(coded)]
        pixels = header.rows * header.columns
        planes = [
            np.asarray(Image.frombytes("L", (pixels, 1), coded[start:end], "packbits", "L"))[0]
            for start, end in zip(starts[:count], ends, strict=True)
        ]
        if header.samples == 3:
            return np.stack(planes, axis=-1).reshape(header.rows, header.columns, 3)
        values = planes[0] if width == 1 else planes[0].astype(np.uint16) << 8 | planes[1]
        return self._significant(values.reshape(header.rows, header.columns))

    def _by_pydicom(self, coded: bytes) -> np.ndarray:
        from pydicom.encaps import encapsulate
        from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
        from pydicom.uid import UID

        header, syntax = self._header, UID(self._header.syntax)
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            decoder = None
        if decoder is None or not decoder.is_available:
            what = syntax.name if syntax.is_transfer_syntax and not syntax.is_private else "a private code"
            raise UnsupportedCompression(f"{self._name}: the pixels are compressed as {what}, which is not read here.")
        self._require_announced_size(coded)
        options: Any = {
            "rows": header.rows,
            "columns": header.columns,
            "number_of_frames": 1,
            "samples_per_pixel": header.samples,
            "photometric_interpretation": header.photometric,
            "planar_configuration": 0,
            "bits_allocated": header.bits_allocated,
            "bits_stored": header.bits_stored,
            "pixel_representation": int(header.signed),
            "pixel_keyword": "PixelData",
        }
        values, _ = decoder.as_array(encapsulate([coded]), index=0, **options)
        return values

    def _require_announced_size(self, coded: bytes) -> None:
        """A codestream has a size of its own, and decoders take that for the truth."""
        try:
            with Image.open(BytesIO(coded), formats=["JPEG", "JPEG2000"]) as image:
                size = image.size
        except UnidentifiedImageError:
            return  # of another family
        if size != (self._header.columns, self._header.rows):
            raise ScanDamaged(f"{self._name}: a frame of the DICOM has another size than its header says.")

    def _encapsulated(self, index: int) -> bytes:
        from pydicom.encaps import generate_frames

        if self._coded is None or index < self._next:
            file = BytesIO(self._header.body)
            file.seek(self._header.pixels_at or 0)
            self._coded, self._next = generate_frames(file, number_of_frames=self._header.frames), 0
        coded, self._coded = self._coded, None  # where it ends or fails, the next call begins anew
        frame = next(islice(coded, index - self._next, None), None)
        if frame is None:
            raise ScanDamaged(f"{self._name}: the DICOM has fewer frames than it says.")
        self._coded, self._next = coded, index + 1
        return frame

    @property
    def _frame_bytes(self) -> int:
        header = self._header
        return header.rows * header.columns * header.samples * header.bits_allocated // 8

    def _require_all_bytes(self) -> None:
        header = self._header
        needed, there = self._frame_bytes * header.frames, len(header.body) - (header.pixels_at or 0)
        if header.length is None or header.length not in (needed, needed + needed % 2):
            raise ScanDamaged(f"{self._name}: rows, columns and frames of the DICOM do not fit to its pixels.")
        if there < needed:
            raise ScanDamaged(f"{self._name}: the file ends in the middle of the pixels.")
