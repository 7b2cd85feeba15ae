"""Diabetic macular oedema: the retina swells, loses its pit and its order, and dark cysts open in its nuclear
layers; hard exudates shine and cast shadows, and sometimes fluid lifts the fovea off the pigment epithelium.
"""

from __future__ import annotations

import numpy as np

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.fields import Field, chance, wander
from oct_trainer.phantom.layers import Blob, Shade
from oct_trainer.phantom.signs import Sign, dome, grow, place, tint

_ROOM_FOR_A_CYST = 7


def dme(retina: Retina, rng: np.random.Generator) -> Sign:
    """From two or three small cysts beside the fovea to a gross swelling full of them."""
    severity = float(rng.uniform(0.15, 1.0))
    centre, half = place(rng, retina, 0.7), rng.uniform(0.6, 2.6) * retina.pixels_per_mm
    zone = dome(len(retina.bruch), centre, half, 1.5) * _uneven(retina, rng)
    retina = _swollen(retina, zone, severity, rng)
    if chance(rng, 0.22):
        retina = _detached(retina, rng)
    blobs = _cyst_field(retina, rng, centre, half, severity)
    foci, shades = _exudates(retina, rng, centre, half, int(rng.integers(0, 5) + rng.integers(0, 14) * severity))
    return Sign(retina, (*blobs, *foci), tuple(shades))


def cysts(retina: Retina, rng: np.random.Generator, layer: Layer, columns: Field, share: float) -> list[Blob]:
    """One cyst in a layer at each column, filling up to `share` of its thickness, each with its thin wall.

    Where the layer is too thin to hold one, as it is in the pit, the cyst opens in the outer nuclear layer.
    """
    tops, blobs = retina.tops(), []
    for x in columns:
        column = int(np.clip(x, 0, len(retina.bruch) - 1))
        home = layer if retina.thickness[layer, column] > _ROOM_FOR_A_CYST else Layer.ONL
        upper, room = float(tops[home, column]), float(retina.thickness[home, column])
        tall = max(room * share * rng.uniform(0.3, 1.1) / 2, 3.0)
        wide = max(tall * rng.uniform(0.4, 1.3) * retina.pixels_per_mm / retina.pixels_per_um / 330, 2.5)
        y = upper + room / 2 + rng.uniform(-0.5, 0.5) * max(room - 2 * tall, 0)
        blobs.append(Blob(float(x), y, wide + 1.6, tall + 1.6, 0.37))
        blobs.append(Blob(float(x), y, wide, tall, float(rng.uniform(0.03, 0.14))))
    return blobs


def _uneven(retina: Retina, rng: np.random.Generator) -> Field:
    return np.clip(1 + 0.15 * wander(rng, len(retina.bruch), 0.35 * retina.pixels_per_mm), 0.3, 1.4)


def _swollen(retina: Retina, zone: Field, severity: float, rng: np.random.Generator) -> Retina:
    """Thicker nuclear layers, greyer than they were, since fluid blurs the borders between them."""
    unit = retina.pixels_per_um
    for layer, most_um in ((Layer.GCL, 20), (Layer.INL, 70), (Layer.ONL, 210)):
        retina = grow(retina, layer, zone * np.float32(most_um * unit * severity * rng.uniform(0.3, 1.0)))
    blur = np.clip(zone, 0, 1) * np.float32(severity * rng.uniform(0.3, 0.9))
    for layer, grey in ((Layer.INL, 0.34), (Layer.OPL, 0.36), (Layer.ONL, rng.uniform(0.22, 0.34))):
        retina = tint(retina, layer, grey, blur)
    return tint(retina, Layer.EZ, 0.5, blur * np.float32(0.6))


def _detached(retina: Retina, rng: np.random.Generator) -> Retina:
    """Clear fluid between the photoreceptors and the pigment epithelium, under the fovea."""
    half = rng.uniform(0.35, 0.9) * retina.pixels_per_mm
    tall = rng.uniform(25, 110) * retina.pixels_per_um
    return grow(retina, Layer.FLUID, dome(len(retina.bruch), place(rng, retina, 0.15), half) * np.float32(tall))


def _cyst_field(retina: Retina, rng: np.random.Generator, centre: float, half: float, severity: float) -> list[Blob]:
    """Large cysts in the outer nuclear layer near the middle, small ones in the inner one around them."""
    outer, inner = (
        int(rng.integers(0, 3) + 12 * severity * rng.random()),
        int(2 + rng.integers(0, 12) * severity),
    )
    wide = centre + half * 0.32 * rng.standard_normal(inner)
    near = centre + half * 0.28 * rng.standard_normal(outer)
    blobs = cysts(retina, rng, Layer.ONL, near, 0.6 + 0.4 * severity)
    return blobs + cysts(retina, rng, Layer.INL, wide, 0.95)


def _exudates(
    retina: Retina, rng: np.random.Generator, centre: float, half: float, count: int
) -> tuple[list[Blob], list[Shade]]:
    """Bright foci about the outer plexiform layer; the larger ones throw a shadow."""
    tops, blobs, shades = retina.tops(), [], []
    for _ in range(count):
        x = float(np.clip(centre + half * 0.6 * rng.standard_normal(), 3, len(retina.bruch) - 4))
        y = float(rng.uniform(tops[Layer.INL, int(x)], tops[Layer.ELM, int(x)]))
        size = float(rng.uniform(1.2, 2.4) if chance(rng, 0.7) else rng.uniform(2.4, 6.0))
        blobs.append(Blob(x, y, size * rng.uniform(1.0, 1.8), size, float(rng.uniform(0.55, 0.95))))
        if size > 3.0:
            shades.append(Shade(x, y + size, size, float(rng.uniform(0.4, 0.85))))
    return blobs, shades
