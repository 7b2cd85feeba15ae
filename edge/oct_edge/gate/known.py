"""The scans that a model knows, as it carries them: what they look like, and how far away others may be.

There is one group for the training scans. A model of real scans has a second one for the project's synthetic phantoms,
which samples and golden answers are: they are let through, and called what they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from oct_edge.gate.familiarity import Familiarity

TRAINING, PHANTOMS = "training", "phantoms"
PICTURE, EMBEDDING = "picture", "embedding"


@dataclass(frozen=True)
class Limit:
    """Beyond `doubtful` a person has to look, beyond `foreign` no class is named."""

    doubtful: float
    foreign: float

    def __post_init__(self) -> None:
        if not 0 < self.doubtful <= self.foreign < np.inf:
            raise ValueError("the limits of the gate are out of order")


@dataclass(frozen=True, eq=False)
class Group:
    """One group of known scans: the figures of `picture.features` and the model's embedding, and a limit for each."""

    name: str
    picture: Familiarity
    embedding: Familiarity
    picture_limit: Limit
    embedding_limit: Limit


def pack_groups(groups: Iterable[Group]) -> bytes:
    """The statistics as `gate.npz`; the limits are for the card."""
    arrays = {
        f"{group.name}.{kind}.{name}": array
        for group in groups
        for kind, known in ((PICTURE, group.picture), (EMBEDDING, group.embedding))
        for name, array in known.arrays().items()
    }
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read_groups(content: bytes, limits: Mapping[str, Mapping[str, Any]]) -> tuple[Group, ...]:
    """The groups that have limits in the card; raises KeyError, ValueError or what `numpy.load` raises."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        return tuple(_group(name, arrays, own) for name, own in limits.items())


def _group(name: str, arrays: Mapping[str, np.ndarray], limits: Mapping[str, Any]) -> Group:
    picture, embedding = (Familiarity.from_arrays(arrays, f"{name}.{kind}.") for kind in (PICTURE, EMBEDDING))
    return Group(name, picture, embedding, _limit(limits[PICTURE]), _limit(limits[EMBEDDING]))


def _limit(entry: Mapping[str, Any]) -> Limit:
    return Limit(float(entry["doubtful"]), float(entry["foreign"]))
