"""The retina as a pile of layers standing on Bruch's membrane. Every layer has a thickness and a reflectivity
in every column; whatever grows pushes up all that lies on it. A healthy eye has no fluid, no subretinal
material and no deposits: these layers are there with thickness zero, and the signs of disease fill them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from oct_trainer.phantom.fields import Field, Stream, chance, generator, wander


class Layer(IntEnum):
    """The layers from the vitreous down, as indices into the pile."""

    NFL = 0
    GCL = 1
    INL = 2
    OPL = 3
    ONL = 4
    ELM = 5
    MYOID = 6
    EZ = 7
    OUTER = 8
    FLUID = 9
    MATERIAL = 10
    RPE = 11
    DEPOSIT = 12
    BRUCH = 13


_MICRONS = (26, 78, 36, 26, 66, 7, 24, 14, 24, 0, 0, 23, 0, 5)
_REFLECTIVITY = (0.57, 0.41, 0.27, 0.37, 0.23, 0.30, 0.25, 0.68, 0.40, 0.10, 0.5, 0.70, 0.45, 0.50)
_PIXELS_PER_MICRON = 1 / 3.87 / 496


@dataclass(frozen=True)
class Retina:
    """The pile of layers of one B-scan of W columns.

    thickness: float32 [14, W], pixels. reflectivity: float32 [14, W], display brightness from 0 to 1.
    bruch: float32 [W], the row of the pile's foot. fovea: column. pixels_per_mm: along the columns.
    pixels_per_um: along the rows. choroid: thickness in pixels. disc: float32 [W], 1 within the optic disc.
    """

    thickness: Field
    reflectivity: Field
    bruch: Field
    fovea: float
    pixels_per_mm: float
    pixels_per_um: float
    choroid: float
    disc: Field

    def tops(self) -> Field:
        """The upper edge of every layer and, last, the foot of the pile: float32 [15, W], rows."""
        above_foot = np.cumsum(self.thickness[::-1], axis=0, dtype=np.float32)[::-1]
        return np.concatenate([self.bruch - above_foot, self.bruch[None]])


def healthy(patient: int, scan: int, width: int, height: int) -> Retina:
    """A healthy retina: the eye comes from the patient's seed, its place in the frame from the scan's."""
    eye, frame = generator(patient, Stream.EYE), generator(scan, Stream.FRAME)
    span_mm = float(eye.uniform(4.6, 8.8))
    scale = height * _PIXELS_PER_MICRON * float(eye.uniform(0.88, 1.12))
    fovea = width * (float(frame.uniform(0.32, 0.68)) if chance(frame, 0.85) else float(frame.uniform(-0.1, 1.1)))
    x_mm = (np.arange(width) - fovea) / width * span_mm
    side = 1 if chance(eye, 0.5) else -1
    disc = _disc(frame, width, side)
    thickness = (_profile(eye, frame, x_mm * side, disc) * scale).astype(np.float32)
    bruch = _bruch(eye, frame, width, height, thickness.sum(axis=0))
    return Retina(
        thickness=thickness,
        reflectivity=_reflectivity(eye, frame, width, disc),
        bruch=bruch + disc**3 * np.float32(eye.uniform(0.02, 0.25) * height),
        fovea=fovea,
        pixels_per_mm=width / span_mm,
        pixels_per_um=scale,
        choroid=float(eye.uniform(90, 380)) * scale,
        disc=disc,
    )


def _profile(eye: np.random.Generator, frame: np.random.Generator, nasal_mm: Field, disc: Field) -> Field:
    """Thickness of every layer in micrometres, float [14, W], over the distance from the fovea."""
    x = nasal_mm
    base = np.array(_MICRONS) * eye.uniform(0.82, 1.18, len(_MICRONS))
    pile = np.repeat(base[:, None], len(x), axis=1)
    pit = _bell(x / eye.uniform(0.42, 0.72)) * _pit_depth(eye, frame)
    ring = _bell((np.abs(x) - eye.uniform(0.9, 1.3)) / 0.75)
    pile[Layer.NFL] *= 0.55 + 0.28 * np.clip(x + 2, 0, 8)
    pile[Layer.GCL] *= 0.72 + eye.uniform(0.25, 0.5) * ring
    for layer, share in ((Layer.NFL, 0.9), (Layer.GCL, 1.0), (Layer.INL, 0.95), (Layer.OPL, 0.7)):
        pile[layer] *= 1 - share * pit
    pile[Layer.ONL] *= 1 + 0.45 * pit - 0.2 * (1 - _bell(x / 2.2))
    pile[Layer.OUTER] *= 1 + 0.35 * _bell(x / 0.35)
    pile[: Layer.ELM] *= 1 + eye.uniform(0.01, 0.035) * wander(frame, len(x), len(x) / 9)
    ending = np.clip(4 * disc, 0, 1)
    pile[Layer.GCL :] *= 1 - 0.9 * ending
    return pile


def _pit_depth(eye: np.random.Generator, frame: np.random.Generator) -> float:
    """How much of the inner retina is missing at the fovea; scans beside the centre show a shallow pit."""
    through_centre = chance(frame, 0.8)
    return float(eye.uniform(0.82, 1.0)) * (1.0 if through_centre else float(frame.uniform(0.1, 0.8)))


def _bruch(eye: np.random.Generator, frame: np.random.Generator, width: int, height: int, thickness: Field) -> Field:
    """The row of Bruch's membrane, float32 [W]: a bowl or a dome, tilted, with room for the retina above."""
    u = np.linspace(-1, 1, width) - frame.uniform(-0.3, 0.3)
    kind = eye.random()
    bow = eye.uniform(0.10, 0.30) if kind < 0.17 else eye.uniform(-0.07, -0.01) if kind > 0.86 else eye.uniform(0, 0.08)
    steep = chance(frame, 0.15)
    tilt = frame.uniform(-0.2, 0.2) if steep else frame.uniform(-0.06, 0.06)
    curve = -bow * u**2 + tilt * u + eye.uniform(0.001, 0.004) * wander(eye, width, width / 6)
    curve = curve * height + frame.uniform(0.36, 0.66) * height
    lowest, highest = np.max(curve), np.min(curve - thickness)
    curve -= max(lowest - 0.84 * height, 0)
    return np.asarray(curve + max(0.01 * height - highest, 0) * 0.7, dtype=np.float32)


def _disc(frame: np.random.Generator, width: int, side: int) -> Field:
    """1 within the optic disc, 0 outside, soft between: float32 [W]. Most scans do not reach it."""
    reaches, edge = chance(frame, 0.16), frame.uniform(0.74, 0.9)
    if not reaches:
        return np.zeros(width, dtype=np.float32)
    t = np.clip((np.linspace(-side, side, width) * 0.5 + 0.5 - edge) / 0.16, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def _reflectivity(eye: np.random.Generator, frame: np.random.Generator, width: int, disc: Field) -> Field:
    """Display brightness of every layer, float32 [14, W], uneven along the retina, greyish in the disc."""
    base = np.array(_REFLECTIVITY) * eye.uniform(0.88, 1.12, len(_REFLECTIVITY))
    pile = np.repeat(base[:, None], width, axis=1)
    for layer in (Layer.NFL, Layer.EZ, Layer.RPE):
        pile[layer] *= 1 + 0.08 * wander(frame, width, width / 12)
    pile[:] += (0.40 - pile) * np.clip(8 * disc, 0, 1)
    return pile.astype(np.float32)


def _bell(x: Field) -> Field:
    return np.asarray(np.exp(-(x**2)))
