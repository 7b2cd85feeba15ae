"""The gate: what it says of a scan, first by its picture, then by its embedding."""

from dataclasses import dataclass

import numpy as np

from oct_edge.gate.known import PHANTOMS, TRAINING, Group
from oct_edge.gate.picture import features_both_ways
from oct_edge.gate.pixels import PixelLimits, check_pixels
from oct_edge.result import Reason

UNFAMILIAR = "unfamiliar"
SYNTHETIC = "like_a_phantom"

_NOT_OCT = Reason(
    "not_oct",
    "This does not look like the OCT B-scans that the model knows.",
    "Give it a whole macular B-scan; one of another kind of device, or a part of one, has to be read by a person.",
)
_UPSIDE_DOWN = Reason(
    "upside_down",
    "This looks like a B-scan that stands on its head: the vitreous belongs to the top.",
    "Export it upright, or turn it.",
)
_UNFAMILIAR = Reason(
    UNFAMILIAR,
    "A B-scan, but unlike most that the model knows: its answer is worth little.",
    "Have a person read this scan.",
)


@dataclass(frozen=True)
class Verdict:
    """`refusal` speaks against naming a class at all, `doubt` against relying on it; `notes` go with the result."""

    refusal: Reason | None = None
    doubt: Reason | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was seen of a picture: the groups that it may belong to, and those of them only with doubt."""

    groups: tuple[Group, ...]
    doubtful: frozenset[str]


@dataclass(frozen=True)
class Gate:
    """Limits on pixels, and the groups that a model knows; without groups, of a card that has none, only the former."""

    pixels: PixelLimits
    groups: tuple[Group, ...]

    def check_pixels(self, pixels: np.ndarray) -> Reason | None:
        """What speaks against naming a class for grey uint8 `[h, w]` as it was read."""
        return check_pixels(pixels, self.pixels)

    def look(self, grey: np.ndarray) -> Reason | Seen:
        """What speaks against naming a class for the network's picture, uint8 `[224, 224]`; or what was seen of it."""
        if not self.groups:
            return Seen((), frozenset())
        upright, turned = features_both_ways(grey)
        distances = {group.name: group.picture.distance(upright) for group in self.groups}
        near = tuple(group for group in self.groups if distances[group.name] <= group.picture_limit.foreign)
        if self._is_nearer(turned, min(distances.values())):
            return _UPSIDE_DOWN
        if not near:
            return _NOT_OCT
        doubtful = (group.name for group in near if distances[group.name] > group.picture_limit.doubtful)
        return Seen(near, frozenset(doubtful))

    def judge(self, seen: Seen, embedding: np.ndarray) -> Verdict:
        """What follows for a scan whose picture was let through, now that its embedding float `[d]` is known."""
        if not self.groups:
            return Verdict()
        distances = {group.name: group.embedding.distance(embedding) for group in seen.groups}
        near = [group for group in seen.groups if distances[group.name] <= group.embedding_limit.foreign]
        if not near:
            return Verdict(refusal=_NOT_OCT)
        sure = [
            group
            for group in near
            if group.name not in seen.doubtful and distances[group.name] <= group.embedding_limit.doubtful
        ]
        names = [group.name for group in sure or near]
        notes = (SYNTHETIC,) if PHANTOMS in names and TRAINING not in names else ()
        return Verdict(doubt=None if sure else _UNFAMILIAR, notes=notes)

    def _is_nearer(self, turned: np.ndarray, distance: float) -> bool:
        """Whether the picture upside down is one that is known, and nearer than as it is."""
        others = [(group.picture.distance(turned), group.picture_limit.foreign) for group in self.groups]
        return any(other < distance and other <= foreign for other, foreign in others)
