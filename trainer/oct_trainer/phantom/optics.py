"""What the instrument and its software do to a picture, whatever the eye shows: vessel shadows, speckle,
detector noise, the fourth root that Spectralis displays, and the white wedges that image registration leaves.
Nothing in this file knows the class of a phantom.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.fields import Field, chance, grain, smooth, wander
from oct_trainer.phantom.layers import Blob, Shade, add_blobs, add_shades


def add_vessels(picture: Field, retina: Retina, rng: np.random.Generator) -> None:
    """Retinal vessels, in place: a faint bright wall in the inner retina and a shadow from there down."""
    tops = retina.tops()
    width = picture.shape[1]
    for _ in range(int(rng.integers(1, 9))):
        x, radius, factor = rng.uniform(0, width), rng.uniform(1.5, 4.5), rng.uniform(0.68, 0.93)
        column = int(x)
        y = float(tops[Layer.GCL, column]) + 4
        if abs(x - retina.fovea) > 0.5 * retina.pixels_per_mm:
            add_blobs(picture, [Blob(x, y, radius, radius, 0.5)])
            add_shades(picture, [Shade(x, y + radius, radius, factor)])


def add_vitreous(picture: Field, resting: Field, ilm: Field, rng: np.random.Generator) -> None:
    """Sometimes a posterior hyaloid above the retina, sometimes a floating speck, in place.

    The hyaloid keeps to the retina's surface at rest, float32 [W], and gives way where `ilm` swells past it.
    """
    height, width = picture.shape
    if chance(rng, 0.22):
        gap = rng.uniform(0.01, 0.12) * height
        slope = 1 + rng.uniform(-0.8, 0.8) * np.linspace(-1, 1, width)
        line = smooth(resting, width // 2) - gap * slope + 3 * wander(rng, width, width / 5) - 4
        _draw_line(picture, np.minimum(line, ilm - 3).astype(np.float32), float(rng.uniform(0.2, 0.34)))
    if chance(rng, 0.25):
        speck = Blob(rng.uniform(0.2, 0.8) * width, rng.uniform(0.02, 0.15) * height, rng.uniform(2, 8), 2, 0.24)
        add_blobs(picture, [speck])


def expose(picture: Field, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Speckle, detector noise and the display's fourth root: brightness float32 [H, W] to uint8 [H, W]."""
    height, width = picture.shape
    gain = rng.uniform(0.9, 1.22) * (1 + rng.uniform(0.02, 0.08) * wander(rng, width, width / 4))
    fall = 1 - rng.uniform(0, 0.3) * np.linspace(-1, 1, width) ** 4
    light = picture * (gain * fall).astype(np.float32)
    light *= light
    light *= light
    speckle = grain(rng, height, width)
    speckle *= np.float32(rng.uniform(0.13, 0.28))
    speckle += 1
    np.maximum(speckle, np.float32(0.3), out=speckle)
    light *= speckle
    light *= speckle
    light += _floor(rng, height, width)
    np.maximum(light, 0, out=light)
    grey: Field = np.sqrt(np.sqrt(light))
    grey *= 255
    np.minimum(grey + np.float32(0.5), 255, out=grey)
    return grey.astype(np.uint8)


def add_borders(pixels: npt.NDArray[np.uint8], retina: Retina, rng: np.random.Generator) -> None:
    """What registration leaves at the edges, in place: white wedges and strips, seldom black columns."""
    width = pixels.shape[1]
    if chance(rng, 0.55):
        _wedges(pixels, retina, rng)
    if chance(rng, 0.4):
        strip = max(int(rng.uniform(0.002, 0.012) * width), 1)
        pixels[:, slice(0, strip) if chance(rng, 0.5) else slice(width - strip, width)] = 255
    if chance(rng, 0.06):
        strip = max(int(rng.uniform(0.005, 0.03) * width), 1)
        pixels[:, slice(0, strip) if chance(rng, 0.5) else slice(width - strip, width)] = 0


def _wedges(pixels: npt.NDArray[np.uint8], retina: Retina, rng: np.random.Generator) -> None:
    """White above one edge and below another of the same slope, as after turning and shifting a frame.

    They stay off the retina as it was before its sign, so that they say nothing about the class.
    """
    height, width = pixels.shape
    slope = rng.uniform(-0.02, 0.02) if chance(rng, 0.6) else rng.uniform(-0.16, 0.16)
    u = np.linspace(-0.5, 0.5, width)
    bend = rng.uniform(-0.1, 0.1) * u**2 if chance(rng, 0.1) else 0 * u
    shift = rng.uniform(-0.03, 0.03) if chance(rng, 0.6) else rng.uniform(-0.18, 0.18)
    edge = (slope * u + bend + shift) * height
    edge += max(float(np.max(retina.bruch + 0.06 * height - height - edge)), 0)
    edge -= max(float(np.max(edge - retina.tops()[0] + 0.06 * height)), 0)
    rows = np.arange(height)[:, None]
    pixels[(rows < edge) | (rows > height + edge)] = 255


def _floor(rng: np.random.Generator, height: int, width: int) -> Field:
    """Detector noise after its mean was subtracted, in linear light: float32 [H, W]. A tenth is below zero,
    which gives the black pepper on grey that vitreous shows after the fourth root."""
    level = rng.uniform(0.04, 0.19) ** 4
    noise = grain(rng, height, width)
    noise += np.float32(rng.uniform(0.2, 1.7))
    roll_off = 1 - rng.uniform(0.2, 0.9) * np.linspace(0, 1, height) ** 1.5
    noise *= (level / 1.7 * roll_off).astype(np.float32)[:, None]
    return noise


def _draw_line(picture: Field, line: Field, brightness: float) -> None:
    """A line about two rows thick, brightest at its middle, in place."""
    height, width = picture.shape
    columns = np.arange(width)
    middle = line.astype(np.intp)
    for offset in (-1, 0, 1, 2):
        rows = middle + offset
        strength = np.clip(1 - np.abs(rows - line) / 1.8, 0, 1) * brightness
        seen = (rows >= 0) & (rows < height)
        place = (rows[seen], columns[seen])
        picture[place] = np.maximum(picture[place], strength[seen])
