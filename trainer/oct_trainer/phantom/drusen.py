"""Drusen: domes of medium brightness that lift the pigment epithelium and the ellipsoid zone off Bruch's
membrane, from a few shallow bumps to a row of large, confluent ones. The layers over them give way.
"""

from __future__ import annotations

import numpy as np

from oct_trainer.phantom.anatomy import Layer, Retina
from oct_trainer.phantom.fields import Field, wander
from oct_trainer.phantom.signs import Sign, dome, grow, place, squeeze, tint


def drusen(retina: Retina, rng: np.random.Generator) -> Sign:
    """Between three and a dozen and a half drusen, of sizes that go together in one eye."""
    lift = elevation(retina, rng, int(rng.integers(3, 19)), float(rng.uniform(24, 62)))
    return Sign(squeeze(lifted(retina, lift, float(rng.uniform(0.34, 0.52))), lift, 0.2))


def elevation(retina: Retina, rng: np.random.Generator, count: int, typical_um: float) -> Field:
    """How far drusen lift the pigment epithelium, float32 [W], pixels. The first is never too small to see."""
    width = len(retina.bruch)
    lift = np.zeros(width, dtype=np.float32)
    spread = rng.uniform(0.8, 4.0)
    for number in range(count):
        tall_um = typical_um * (rng.uniform(0.35, 1.6) if number else rng.uniform(1.0, 1.6))
        half_mm = tall_um * rng.uniform(1.1, 4.0) / 1000
        bump = dome(width, place(rng, retina, spread), half_mm * retina.pixels_per_mm + 2, rng.uniform(0.6, 1.4))
        np.maximum(lift, bump * np.float32(tall_um * retina.pixels_per_um), out=lift)
    rough = 1 + 0.07 * wander(rng, width, 5.0)
    return lift * rough


def lifted(retina: Retina, lift: Field, brightness: float) -> Retina:
    """The retina with deposits of that height under its pigment epithelium, faded photoreceptor lines over them."""
    over = np.clip(lift / (18 * retina.pixels_per_um), 0, 1)
    retina = grow(retina, Layer.DEPOSIT, lift)
    retina = tint(retina, Layer.DEPOSIT, brightness, over)
    retina = tint(retina, Layer.EZ, 0.38, over * np.float32(0.75))
    return tint(retina, Layer.OUTER, 0.34, over * np.float32(0.6))
