"""What the signs of disease have in common: a sign takes a healthy retina and gives a changed one, with things
in it and shades under it; where it differs from the healthy retina is computed, not claimed by the sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.fields import Field, smooth
from oct_trainer.phantom.layers import Blob, Shade

_MOVED = 0.5
_TINTED = 0.03
_JOINED = 4


class Box(NamedTuple):
    """A rectangle of pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Sign:
    """A retina with its disease: the changed pile, the blobs in it, and the shades that they cast."""

    retina: Retina
    blobs: tuple[Blob, ...] = ()
    shades: tuple[Shade, ...] = ()


def dome(width: int, centre: float, half_width: float, power: float = 1.0) -> Field:
    """An elevation of height 1 with a foot of limited width, float32 [W]; steeper for a smaller power."""
    t = np.clip(1 - ((np.arange(width) - centre) / half_width) ** 2, 0, 1)
    return np.asarray(t**power, dtype=np.float32)


def grow(retina: Retina, layer: Layer, extra: Field) -> Retina:
    """The retina with one layer thicker by `extra` pixels, float32 [W]; all that lies above moves up."""
    thickness = retina.thickness.copy()
    thickness[layer] += extra
    return replace(retina, thickness=thickness)


def squeeze(retina: Retina, lift: Field, share: float) -> Retina:
    """The outer nuclear layer gives way to what rises under it by `lift` pixels, float32 [W].

    Only a smoothed `share` of the rise is handed on to the layers above, and as much more as the outer nuclear
    layer, thinned to a sixth, cannot take: the inner retina drapes over a lesion and never follows its roughness.
    """
    window = max(int(0.4 * retina.pixels_per_mm), 3)
    excess = np.maximum(lift - 0.85 * retina.thickness[Layer.ONL], 0)
    handed_on = np.maximum(smooth(_widest(excess, window // 3), window), share * smooth(lift, window))
    return grow(retina, Layer.ONL, np.maximum(handed_on - lift, -0.9 * retina.thickness[Layer.ONL]))


def tint(retina: Retina, layer: Layer, brightness: float | Field, weight: Field) -> Retina:
    """The retina with one layer's reflectivity drawn towards `brightness` by `weight` (0 to 1), float32 [W]."""
    reflectivity = retina.reflectivity.copy()
    reflectivity[layer] += (np.asarray(brightness, dtype=np.float32) - reflectivity[layer]) * weight
    return replace(retina, reflectivity=reflectivity)


def place(rng: np.random.Generator, retina: Retina, spread_mm: float) -> float:
    """A column near the fovea, or where the fovea would be, well within the frame and off the disc."""
    width = len(retina.bruch)
    column = retina.fovea + rng.uniform(-spread_mm, spread_mm) * retina.pixels_per_mm
    open_columns = np.flatnonzero(retina.disc < 0.01)
    low, high = open_columns[0] + 0.12 * width, open_columns[-1] - 0.12 * width
    return float(np.clip(column, low, high))


def boxes(healthy: Retina, sign: Sign, height: int) -> tuple[Box, ...]:
    """Where the sign differs from the healthy retina, one box for each run of changed columns."""
    top, bottom = _extent(healthy, sign.retina)
    for blob in sign.blobs:
        left, right = max(int(blob.x - blob.half_width) - 1, 0), int(blob.x + blob.half_width) + 2
        top[left:right] = np.minimum(top[left:right], blob.y - blob.half_height - 1)
        bottom[left:right] = np.maximum(bottom[left:right], blob.y + blob.half_height + 1)
    found = []
    for left, right in _runs(np.flatnonzero(top < bottom)):
        upper = max(int(top[left:right].min()) - 1, 0)
        lower = min(int(bottom[left:right].max()) + 2, height)
        if upper < lower:
            found.append(Box(left, upper, right, lower))
    return tuple(found)


def _extent(healthy: Retina, ill: Retina) -> tuple[Field, Field]:
    """First and last changed row of every column, float32 [W] each; the first is inf where nothing changed."""
    before, after = healthy.tops(), ill.tops()
    moved = np.abs(after - before) > _MOVED
    tinted = (np.abs(ill.reflectivity - healthy.reflectivity) > _TINTED) & (ill.thickness > _MOVED)
    changed = moved[:-1] | moved[1:] | tinted
    top = np.where(changed, np.minimum(before, after)[:-1], np.inf).min(axis=0)
    bottom = np.where(changed, np.maximum(before, after)[1:], -np.inf).max(axis=0)
    return top, bottom


def _widest(line: Field, window: int) -> Field:
    """The running maximum over `window` columns on either side together, float32 [W]."""
    half = window // 2
    padded = np.pad(line, half, mode="edge")
    return np.asarray(sliding_window_view(padded, 2 * half + 1).max(axis=-1), dtype=np.float32)


def _runs(columns: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Iterator[tuple[int, int]]:
    """Stretches of neighbouring columns as (first, one past the last), small gaps bridged."""
    if len(columns) == 0:
        return
    for run in np.split(columns, np.flatnonzero(np.diff(columns) > _JOINED) + 1):
        yield int(run[0]), int(run[-1]) + 1
