"""Choroidal neovascularisation: a rough, bright lesion under or over a broken pigment epithelium, dark fluid
beside and above it, sometimes cysts in a swollen retina, and a choroid that shines or darkens in streaks below.
"""

from __future__ import annotations

import numpy as np

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.dme import cysts
from oct_trainer.phantom.drusen import elevation, lifted
from oct_trainer.phantom.fields import Field, chance, wander
from oct_trainer.phantom.layers import Blob, Shade
from oct_trainer.phantom.signs import Sign, dome, grow, place, squeeze, tint


def cnv(retina: Retina, rng: np.random.Generator) -> Sign:
    """One lesion, from a shallow, irregular membrane with little fluid to a thick scar in a swollen retina."""
    centre, half = place(rng, retina, 0.7), rng.uniform(0.35, 1.7) * retina.pixels_per_mm
    tall = rng.uniform(35, 70 + 90 * half / retina.pixels_per_mm) * retina.pixels_per_um
    if chance(rng, 0.3):
        retina = lifted(retina, elevation(retina, rng, int(rng.integers(1, 7)), 35), 0.45)
    lesion = dome(len(retina.bruch), centre, half, rng.uniform(0.5, 1.2))
    retina = _membrane(retina, rng, lesion, float(tall))
    if chance(rng, 0.6):
        retina = _fluid(retina, rng, centre, half)
    retina = squeeze(retina, _lift(retina), float(rng.uniform(0.2, 0.7)))
    retina = _swollen(retina, rng, centre, half)
    blobs = _granules(retina, rng, centre, half)
    if chance(rng, 0.35):
        columns = centre + half * 0.45 * rng.standard_normal(int(rng.integers(2, 9)))
        layer = Layer.INL if chance(rng, 0.4) else Layer.ONL
        blobs += cysts(retina, rng, layer, columns, 0.85)
    return Sign(retina, tuple(blobs), _streaks(retina, rng, centre, half))


def _membrane(retina: Retina, rng: np.random.Generator, lesion: Field, tall: float) -> Retina:
    """The lesion itself, shared out between the space under the pigment epithelium and the one above it."""
    width = len(lesion)
    under = float(rng.uniform(0.75, 1.0) if chance(rng, 0.6) else rng.uniform(0.1, 0.6))
    lumps = wander(rng, width, rng.uniform(0.1, 0.4) * retina.pixels_per_mm)
    rough = np.clip(0.8 + 0.25 * lumps + 0.08 * wander(rng, width, 3.0), 0.15, 1.5)
    heap = lesion * rough * np.float32(tall)
    retina = grow(retina, Layer.DEPOSIT, heap * np.float32(under))
    ragged = np.clip(1 + 0.25 * wander(rng, width, 5.0), 0.2, 2)
    retina = grow(retina, Layer.MATERIAL, heap * ragged * np.float32(1 - under))
    return _disrupted(retina, rng, np.clip(lesion * 3, 0, 1))


def _disrupted(retina: Retina, rng: np.random.Generator, over: Field) -> Retina:
    """Photoreceptor lines lost and pigment epithelium broken wherever the lesion is."""
    width = len(over)
    broken = np.clip(0.4 + 0.6 * wander(rng, width, 0.12 * retina.pixels_per_mm), 0, 1) * over
    fill = np.float32(rng.uniform(0.36, 0.62)) * (1 + 0.12 * wander(rng, width, 6.0))
    retina = tint(retina, Layer.DEPOSIT, fill, over)
    retina = tint(retina, Layer.MATERIAL, float(rng.uniform(0.45, 0.72)), over)
    retina = tint(retina, Layer.RPE, 0.45, broken * np.float32(rng.uniform(0.2, 1.0)))
    for layer, grey in ((Layer.ELM, 0.27), (Layer.EZ, 0.3), (Layer.OUTER, 0.4)):
        retina = tint(retina, layer, grey, over * np.float32(rng.uniform(0.5, 1.0)))
    return retina


def _fluid(retina: Retina, rng: np.random.Generator, centre: float, half: float) -> Retina:
    """Subretinal fluid, over the lesion or at its edge; its surface is smooth where the lesion is rough."""
    x = centre + half * rng.uniform(-1.0, 1.0)
    wide, tall = rng.uniform(0.3, 1.2) * retina.pixels_per_mm, rng.uniform(20, 130) * retina.pixels_per_um
    lesion = _lift(retina)
    level = dome(len(retina.bruch), x, wide, 0.9) * np.float32(tall + 0.5 * lesion.max())
    return grow(retina, Layer.FLUID, np.maximum(level - lesion, 0))


def _lift(retina: Retina) -> Field:
    """How far the photoreceptors stand off Bruch's membrane for what lies under them, float32 [W], pixels."""
    thickness = retina.thickness
    lift: Field = thickness[Layer.FLUID] + thickness[Layer.MATERIAL] + thickness[Layer.DEPOSIT]
    return lift


def _swollen(retina: Retina, rng: np.random.Generator, centre: float, half: float) -> Retina:
    """Thickening over the lesion, none to much."""
    wide = half + rng.uniform(0.2, 0.8) * retina.pixels_per_mm
    zone = dome(len(retina.bruch), centre, wide, 1.5)
    unit = retina.pixels_per_um * rng.random()
    retina = grow(retina, Layer.INL, zone * np.float32(35 * unit))
    return grow(retina, Layer.ONL, zone * np.float32(90 * unit))


def _granules(retina: Retina, rng: np.random.Generator, centre: float, half: float) -> list[Blob]:
    """Bright and dark grains within the lesion, so that it is not one even grey."""
    tops, blobs = retina.tops(), []
    for _ in range(int(rng.integers(4, 26))):
        x = float(np.clip(centre + half * rng.uniform(-0.8, 0.8), 2, len(retina.bruch) - 3))
        column = int(x)
        y = float(rng.uniform(tops[Layer.MATERIAL, column], tops[Layer.BRUCH, column] + 1))
        size = float(rng.uniform(1.2, 3.0))
        blobs.append(Blob(x, y, size * rng.uniform(1.0, 3.0), size, float(rng.uniform(0.32, 0.8))))
    return blobs


def _streaks(retina: Retina, rng: np.random.Generator, centre: float, half: float) -> tuple[Shade, ...]:
    """Light passes where pigment is lost and stops where the lesion is thick: streaks in the choroid."""
    bruch, shades = retina.bruch, []
    for _ in range(int(rng.integers(2, 9))):
        x = float(np.clip(centre + half * rng.uniform(-1.0, 1.0), 0, len(bruch) - 1))
        wide = float(rng.uniform(0.02, 0.25) * retina.pixels_per_mm)
        shades.append(Shade(x, float(bruch[int(x)]), wide, float(rng.uniform(0.4, 1.5))))
    return tuple(shades)
