"""From surfaces to brightness: paints a retina, the choroid under it and the things in it (cysts, foci,
vessels) as the noiseless picture that an ideal instrument would show, in display brightness from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.fields import Field, clouds, wander

_SOFTNESS = {Layer.NFL: 1.5, Layer.GCL: 5.0, Layer.INL: 5.0, Layer.OPL: 4.0, Layer.ONL: 4.0}


@dataclass(frozen=True)
class Blob:
    """An ellipse of another brightness: a cyst (dark) or a hyperreflective focus (bright). Pixels."""

    x: float
    y: float
    half_width: float
    half_height: float
    brightness: float


@dataclass(frozen=True)
class Shade:
    """What lies under something: from row `y` down, columns around `x` keep `factor` of their brightness."""

    x: float
    y: float
    half_width: float
    factor: float


def paint(retina: Retina, height: int, rng: np.random.Generator) -> Field:
    """The retina and its choroid without noise, float32 [H, W], 0 (nothing) to 1 (white)."""
    picture = _choroid(retina, height, rng)
    tops = retina.tops()
    first = int(np.clip(tops.min() - 4, 0, height - 1))
    last = int(np.clip(tops.max() + 4, first + 1, height))
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    band = np.zeros((last - first, picture.shape[1]), dtype=np.float32)
    before = np.zeros(picture.shape[1], dtype=np.float32)
    for layer in Layer:
        band += (retina.reflectivity[layer] - before) * _step(rows, tops[layer], _SOFTNESS.get(layer, 1.6))
        before = retina.reflectivity[layer]
    foot = _step(rows, tops[-1], 3.0)
    picture[first:last] = band + (picture[first:last] - band) * foot
    picture[:first] = 0
    picture[first:last] *= 1 + np.float32(0.05) * clouds(rng, height, picture.shape[1], 4.5)[first:last]
    return picture


def add_blobs(picture: Field, blobs: Iterable[Blob]) -> None:
    """Paints the blobs into the picture, in place, with edges about a pixel and a half wide."""
    for blob in blobs:
        rows, columns = _window(picture, blob)
        if rows.stop <= rows.start or columns.stop <= columns.start:
            continue
        y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(blob.y)) / blob.half_height
        x = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(blob.x)) / blob.half_width
        small = min(blob.half_width, blob.half_height)
        inside = np.clip((1 - np.sqrt(x * x + y * y)) * np.float32(small / 1.5) + 0.5, 0, 1)
        part = picture[rows, columns]
        part += (np.float32(blob.brightness) - part) * inside


def add_shades(picture: Field, shades: Iterable[Shade]) -> None:
    """Darkens (or, with a factor over 1, brightens) what lies under things, in place."""
    height, width = picture.shape
    for shade in shades:
        reach = 2 * shade.half_width
        left, right = max(int(shade.x - reach), 0), min(int(shade.x + reach) + 1, width)
        if right <= left:
            continue
        t = np.clip(1 - ((np.arange(left, right) - shade.x) / reach) ** 2, 0, 1) ** 2
        start = int(np.clip(shade.y, 0, height))
        picture[start:, left:right] *= (1 + (shade.factor - 1) * t).astype(np.float32)


def _choroid(retina: Retina, height: int, rng: np.random.Generator) -> Field:
    """The tissue under the pile, float32 [H, W]: bright at its top, with dark vessels, fading with depth."""
    width = len(retina.bruch)
    depth = np.arange(height, dtype=np.float32)[:, None] - retina.bruch
    np.maximum(depth, 0, out=depth)
    reach = np.float32(rng.uniform(28, 95) * height / 496)
    brightness = np.float32(rng.uniform(0.29, 0.43)) * (1 + 0.05 * wander(rng, width, 3.0))
    small, large = rng.uniform(7, 11), rng.uniform(12, 24)
    texture = clouds(rng, height, width, small)
    texture *= np.float32(0.09)
    lumen = clouds(rng, height, width, large)
    lumen -= np.float32(0.2)
    np.clip(lumen, 0, 1, out=lumen)
    lumen *= np.clip(depth * np.float32(1 / 10) - 0.5, 0, 1) * np.clip(retina.choroid / 15 - depth / 15, 0, 1)
    texture -= lumen * np.float32(rng.uniform(0.15, 0.6))
    texture += 1
    texture *= brightness * (1 - 0.25 * retina.disc)
    texture /= 1 + depth / reach * (1 + depth / (3 * reach))
    return texture


def _step(rows: Field, edge: Field, softness: float) -> Field:
    """0 above the edge, 1 below it, a ramp of `softness` rows between: float32 [rows, W]."""
    ramp = rows * np.float32(1 / softness) - (edge * np.float32(1 / softness) - np.float32(0.5))
    return np.clip(ramp, 0, 1, out=ramp)


def _window(picture: Field, blob: Blob) -> tuple[slice, slice]:
    height, width = picture.shape
    rows = slice(max(int(blob.y - blob.half_height) - 2, 0), min(int(blob.y + blob.half_height) + 3, height))
    columns = slice(max(int(blob.x - blob.half_width) - 2, 0), min(int(blob.x + blob.half_width) + 3, width))
    return rows, columns
