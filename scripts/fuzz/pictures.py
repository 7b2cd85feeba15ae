"""Small files of every format that the scan reader takes, written here so that none of a patient is needed."""

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    OphthalmicTomographyImageStorage,
    RLELossless,
)

from oct_models import sample_scans

GREY = Image.open(sample_scans()[0]).resize((48, 32))
VALUES = np.asarray(GREY)
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def dicom_of(frames: Sequence[np.ndarray], syntax: str = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """An Ophthalmic Tomography file of these frames; `elements` replace those that it has otherwise, None removes."""
    stack = np.stack(frames)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = OphthalmicTomographyImageStorage, "2.25.1", "OPT"
    data.NumberOfFrames, data.Rows, data.Columns = stack.shape[:3]
    data.SamplesPerPixel = 1 if stack.ndim == 3 else 3
    data.PhotometricInterpretation = "MONOCHROME2" if stack.ndim == 3 else "RGB"
    if stack.ndim == 4:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = stack.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(stack.dtype.kind == "i")
    if "BitsStored" in elements:
        data.HighBit = elements["BitsStored"] - 1
    data.PixelData = stack.tobytes()
    if syntax == RLELossless:
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless, generate_instance_uid=False)
    elif syntax in (JPEGBaseline8Bit, JPEG2000Lossless):
        kind, options = ("JPEG", {"quality": 95}) if syntax == JPEGBaseline8Bit else ("JPEG2000", {"no_jp2": True})
        data.PixelData = encapsulate([encoded(Image.fromarray(frame), kind, **options) for frame in stack])
    elif syntax not in (*NATIVE, ExplicitVRBigEndian):
        data.PixelData = encapsulate([frame.tobytes() for frame in stack])
    for keyword, value in elements.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def tiff_of(pages: Sequence[tuple[Mapping[int, Any], bytes]], *, order: str = "<", big: bool = False) -> bytes:
    """A TIFF of pages, each the values of its tags and its pixels as one strip; whatever the tags say."""
    pointer, count, step = ("Q", "Q", 8) if big else ("I", "H", 4)
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    out = bytearray(start + (struct.pack(order + "HH", 8, 0) if big else b"") + bytes(step))
    link = len(out) - step
    for tags, pixels in pages:
        strip = len(out)
        out += pixels + b"\0" * (len(pixels) % 2)
        tags = {**tags, 273: strip, 279: len(pixels)}
        entries = bytearray()
        for tag, value in sorted(tags.items()):
            values = value if isinstance(value, tuple) else (value,)
            packed = struct.pack(f"{order}{len(values)}I", *values)
            if len(packed) > step:
                place = len(out)
                out += packed
                packed = struct.pack(order + pointer, place)
            entries += struct.pack(f"{order}HH{pointer}", tag, 4, len(values)) + packed.ljust(step, b"\0")
        out[link : link + step] = struct.pack(order + pointer, len(out))
        out += struct.pack(order + count, len(tags)) + entries + bytes(step)
        link = len(out) - step
    return bytes(out)


def grey_page(values: np.ndarray, order: str = "<", **tags: Any) -> tuple[dict[int, Any], bytes]:
    """Tags and pixels of a page of unsigned integers; `tags` are more of them, as `t262=0`."""
    height, width = values.shape
    bits = values.dtype.itemsize * 8
    own = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
    given = {int(key[1:]): value for key, value in tags.items()}
    return own | given, values.astype(values.dtype.newbyteorder(order)).tobytes()


def seeds() -> dict[str, bytes]:
    """One file of each kind whose headers have places of their own to break."""
    tags = Image.Exif()
    tags[0x112], tags[0x10F], tags[0x11A] = 6, "maker", 72.0
    tags[0x8769] = {0x9003: "2018:11:22 00:00:00"}
    colour, deep = GREY.convert("RGB"), VALUES.astype(np.uint16) * 257
    pictures = {
        "jpeg": encoded(GREY, "JPEG"),
        "jpeg-progressive": encoded(GREY, "JPEG", progressive=True),
        "jpeg-exif": encoded(colour, "JPEG", exif=tags),
        "jpeg-mpo": encoded(GREY, "MPO", save_all=True, append_images=[GREY]),
        "png": encoded(GREY, "PNG", exif=tags),
        "png-palette": encoded(colour.quantize(16), "PNG", transparency=b"\xff\xff"),
        "png-deep": encoded(Image.fromarray(deep), "PNG"),
        "tiff": encoded(GREY, "TIFF"),
        "tiff-colour": encoded(colour, "TIFF", compression="packbits"),
        "tiff-palette": encoded(colour.quantize(16), "TIFF"),
        "tiff-deep": tiff_of([grey_page(deep, ">")], order=">"),
        "tiff-big": tiff_of([grey_page(VALUES)] * 2, big=True),
    }
    for code in ("tiff_lzw", "tiff_deflate", "zstd"):
        pictures[f"tiff-{code}"] = encoded(GREY, "TIFF", compression=code, save_all=True, append_images=[GREY])
    for number, syntax in enumerate((*NATIVE, ExplicitVRBigEndian)):
        pictures[f"dicom-native-{number}"] = dicom_of(
            [deep, deep], syntax, WindowCenter=[30000, 9], WindowWidth=[6e4, 9]
        )
    for code, syntax in (("rle", RLELossless), ("jpeg", JPEGBaseline8Bit), ("jpeg2000", JPEG2000Lossless)):
        pictures[f"dicom-{code}"] = dicom_of([VALUES, VALUES], syntax, ImageLaterality="R")
    pictures["dicom-colour"] = dicom_of([np.asarray(colour)])
    return pictures
