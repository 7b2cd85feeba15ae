"""Bytes become a `Scan` here, and every bad input ends here.

A `Scan` is a grey picture and the identity of the bytes it came from. A file is opened once: the bytes that are hashed
are the bytes that are decoded, whatever happens to the path meanwhile. What a file is, its content says and not its
name. Decoders report damage through a dozen exception types, and some of it not at all; callers see only the
`ScanError` tree.

`identity` is what a scan is, `opening` tells the formats apart, `raster`, `jpeg`, `png`, `tiff` and `dicom` read them,
and `paths` is which files a command line means.
"""

from oct_edge.scan.identity import MAX_FRAMES, MAX_PIXELS, Scan
from oct_edge.scan.opening import (
    KINDS,
    PICTURES,
    Frames,
    decode_scan,
    open_frames,
    read_input,
    read_scan,
    read_scans,
)
from oct_edge.scan.paths import STDIN, expand_paths

__all__ = [
    "KINDS",
    "MAX_FRAMES",
    "MAX_PIXELS",
    "PICTURES",
    "STDIN",
    "Frames",
    "Scan",
    "decode_scan",
    "expand_paths",
    "open_frames",
    "read_input",
    "read_scan",
    "read_scans",
]
