"""Draws one phantom: a healthy retina from the seed, the class's sign in it, and the instrument over both.
The label touches nothing but the sign: the same seed gives the same eye, frame, noise and wedges in every class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oct_trainer.phantom.anatomy import Retina, healthy
from oct_trainer.phantom.cnv import cnv
from oct_trainer.phantom.dme import dme
from oct_trainer.phantom.drusen import drusen
from oct_trainer.phantom.fields import Stream, generator
from oct_trainer.phantom.layers import add_blobs, add_shades, paint
from oct_trainer.phantom.optics import add_borders, add_vessels, add_vitreous, expose
from oct_trainer.phantom.signs import Box, Sign, boxes


@dataclass(frozen=True)
class Phantom:
    """A synthetic B-scan and the truth about it.

    pixels: uint8 [H, W]. lesions: where the sign is, empty for NORMAL; shadows under a lesion are not in it.
    """

    pixels: npt.NDArray[np.uint8]
    label: str
    lesions: tuple[Box, ...]
    seed: int


def _no_sign(retina: Retina, rng: np.random.Generator) -> Sign:
    return Sign(retina)


_SIGNS: dict[str, Callable[[Retina, np.random.Generator], Sign]] = {
    "CNV": cnv,
    "DME": dme,
    "DRUSEN": drusen,
    "NORMAL": _no_sign,
}


def render(label: str, seed: int, *, width: int = 512, height: int = 496) -> Phantom:
    """The synthetic phantom of one class and seed; the same arguments give the same pixels.

    Raises KeyError for a label that is not one of the four, ValueError for a negative seed.
    """
    return render_scan(label, seed, seed, width, height)


def render_scan(label: str, patient: int, scan: int, width: int, height: int) -> Phantom:
    """A phantom whose eye comes from one seed and whose frame, sign and noise come from another."""
    normal = healthy(patient, scan, width, height)
    sign = _SIGNS[label](normal, generator(scan, Stream.SIGN))
    texture = generator(scan, Stream.TEXTURE)
    picture = paint(sign.retina, height, texture)
    add_vessels(picture, sign.retina, texture)
    add_vitreous(picture, normal.tops()[0], sign.retina.tops()[0], texture)
    add_blobs(picture, sign.blobs)
    add_shades(picture, sign.shades)
    pixels = expose(picture, generator(scan, Stream.OPTICS))
    add_borders(pixels, normal, generator(scan, Stream.WEDGES))
    return Phantom(pixels, label, boxes(normal, sign, height), scan)
