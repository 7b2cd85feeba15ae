"""Stored values of a DICOM file become grey, in every frame by one rule, which is a table of all values.

The file names a window, or the full range of its bits is what is shown. What lies beyond a window becomes black or
white, as DICOM defines, and that is noted. Darker is less, but for MONOCHROME1.
"""

from functools import cached_property

import numpy as np

from oct_edge.errors import ScanDamaged, UnsupportedPixels
from oct_edge.scan.dicom.header import Header, Window
from oct_edge.scan.identity import WINDOW_CLIPPED, Picture


class Levels:
    """The rule of one file, worked out when its first frame comes."""

    def __init__(self, header: Header, name: str) -> None:
        self._header, self._name = header, name

    def picture(self, values: np.ndarray) -> Picture:
        index = values.astype(np.int32) - self._lowest
        if index.min() < 0 or index.max() >= len(self._levels):
            raise ScanDamaged(f"{self._name}: a frame of the DICOM has values beyond its bits.")
        notes = (WINDOW_CLIPPED,) if self._beyond[index].any() else ()
        return Picture(self._levels[index], notes)

    @cached_property
    def _lowest(self) -> int:
        return -(1 << (self._header.bits_stored - 1)) if self._header.signed else 0

    @cached_property
    def _positions(self) -> np.ndarray:
        """For each stored value its place between black, 0, and white, 1."""
        header = self._header
        stored = np.arange(1 << header.bits_stored, dtype=np.float64) + self._lowest
        real = stored * header.slope + header.intercept
        if not np.isfinite(real).all() or real[0] == real[-1]:
            raise UnsupportedPixels(f"{self._name}: rescale slope and intercept leave no grey values.")
        if header.window is None:
            places = (real - real.min()) / np.ptp(real)
        else:
            places = _in_window(real, header.window, self._name)
        return 1 - places if header.photometric == "MONOCHROME1" else places

    @cached_property
    def _levels(self) -> np.ndarray:
        return np.round(np.clip(self._positions, 0, 1) * 255).astype(np.uint8)

    @cached_property
    def _beyond(self) -> np.ndarray:
        return np.round(self._positions * 255) != self._levels


def _in_window(real: np.ndarray, window: Window, name: str) -> np.ndarray:
    """DICOM PS3.3, C.11.2.1.2. The linear function of the window's width minus one is what files mean by default."""
    exact = window.function == "LINEAR_EXACT"
    if window.function not in ("LINEAR", "LINEAR_EXACT"):
        raise UnsupportedPixels(f"{name}: a window that is not linear has no defined grey values here.")
    width, centre = (window.width, window.centre) if exact else (window.width - 1, window.centre - 0.5)
    if not (width > 0 and np.isfinite([width, centre]).all()):
        raise UnsupportedPixels(f"{name}: a window without a width leaves no grey values.")
    return (real - centre) / width + 0.5
