"""DICOM, the pixels of it and no more: what else a file says of a patient is not even read.

Read is what says that it is an OCT (modality OPT), or a secondary capture of no particular modality; anything else is
turned away by what it says. The decoder is pydicom, an optional part of the package, imported when the first DICOM file
comes. It quotes values in what it raises, warns and logs, so none of that is repeated.
"""

import logging

from oct_edge.errors import MissingExtra, OtherModality, UnsupportedPixels
from oct_edge.scan.dicom.frames import FrameDecoder
from oct_edge.scan.dicom.header import Header, read_header
from oct_edge.scan.identity import BURNED_IN, Content, refusing

_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture; its multi-frame kinds have one number more
_OTHERS = {
    "CR": "a radiograph",
    "CT": "a CT",
    "DOC": "a document",
    "DX": "a radiograph",
    "IVOCT": "an OCT of a vessel",
    "MR": "an MRI",
    "OCT": "an OCT that is not of an eye",
    "OP": "a photograph of the eye",
    "OPM": "a map of the eye",
    "OPTBSV": "an analysis of a volume",
    "OPTENF": "an en-face picture",
    "OPV": "a visual field",
    "RTDOSE": "a dose",
    "US": "an ultrasound",
    "XC": "a photograph",
}
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def open_dicom(data: bytes, name: str) -> Content:
    """The frames of a DICOM file.

    Raises:
        ScanError: any of its subclasses.
        MissingExtra: pydicom is not installed.
    """
    _require_pydicom(name)
    with refusing("DICOM", name, (Exception,)):
        header = read_header(data, name)
        _require_oct(header, name)
        _require_grey_values(header, name)
        notes = (BURNED_IN,) if header.burned_in else ()
        return Content(header.frames, FrameDecoder(header, name), header.laterality, notes)


def _require_pydicom(name: str) -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise MissingExtra(
            f"{name}: a DICOM file, and what reads those is not installed.",
            hint="pip install 'oct-edge[dicom]'",
        ) from None
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


def _require_oct(header: Header, name: str) -> None:
    is_capture = header.sop_class == _CAPTURES or header.sop_class.startswith(f"{_CAPTURES}.")
    if header.modality != "OPT" and not (header.modality == "OT" and is_capture):
        what = _OTHERS.get(header.modality, "of another modality, or of none")
        raise OtherModality(f"{name}: the DICOM says that it is no OCT ({what}).")
    if header.pixels_at is None:
        raise OtherModality(f"{name}: a DICOM without a picture in integers (a report, or raw data of the device).")


def _require_grey_values(header: Header, name: str) -> None:
    if header.bits_allocated not in (8, 16) or not 1 < header.bits_stored <= header.bits_allocated:
        raise UnsupportedPixels(f"{name}: {header.bits_stored} bits a sample have no defined grey value here.")
    if header.high_bit != header.bits_stored - 1:
        raise UnsupportedPixels(f"{name}: the samples do not begin at their lowest bit.")
    if header.samples == 1 and header.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedPixels(f"{name}: values that are no grey (a palette, or of an unknown kind).")
    if header.samples != 1 and (header.samples, header.bits_allocated) != (3, 8):
        raise UnsupportedPixels(f"{name}: {header.samples} samples of {header.bits_stored} bits are no grey value.")
    if header.samples == 3 and header.photometric not in _COLOURS:
        raise UnsupportedPixels(f"{name}: colours of an unknown kind.")
    if header.has_tables:
        raise UnsupportedPixels(f"{name}: the grey values are defined by a table (LUT), which is not applied here.")
