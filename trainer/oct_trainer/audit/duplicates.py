"""The same picture twice: the same bytes, or a copy that was re-encoded, resized, brightened or mirrored.

Measured on 1,016 real scans, over all pairs of different patients, mirrored or not: the nearest two differ in 48 of
255 bits, and no two closer than 60 correlate above 0.91. A copy (JPEG quality 10 to 95, half size, 224 x 224,
1024 x 1024, brighter, darker, noisy) differs in 27 bits at most and correlates above 0.94. A pair must be near by both
measures to be reported. Most copies that were cropped by 2 %, turned, or had their border repainted are missed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from oct_trainer.audit.fingerprint import BITS, details, mirrored, signs
from oct_trainer.audit.inventory import Entry
from oct_trainer.content import grouped
from oct_trainer.layout import POOL
from oct_trainer.leaks import Verdict, verdict

MAX_BITS = 40
MIN_CORRELATION = 0.94

_BLOCK = 128
_CONFIRMED = 64  # so many of the nearest by hash are compared by correlation, so that a thousand alike cost no memory


@dataclass(frozen=True)
class Duplicate:
    """Files with one content (`exact`), or a pair of near copies with their distance in bits and correlation."""

    kind: Literal["exact", "near"]
    verdict: Verdict
    files: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    patients: tuple[str, ...]
    bits: int = 0
    correlation: float = 1.0
    mirrored: bool = False

    @property
    def conflict(self) -> bool:
        """One picture under two labels: at least one of them is wrong."""
        return len(self.labels) > 1


def exact_duplicates(entries: Iterable[Entry]) -> list[Duplicate]:
    groups = grouped(entries, lambda entry: entry.content.sha256 if entry.content else None)
    return [_duplicate("exact", group) for group in groups.values() if len(group) > 1]


def near_duplicates(entries: Iterable[Entry]) -> list[Duplicate]:
    """For each scan its nearest copy in another split, and its nearest under another patient in the same split.

    Neighbouring slices of one patient in one split, or in `train` and `val`, are not compared: they may be alike.
    """
    scans = [(e, e.content.picture, e.content.sha256) for e in entries if e.content]
    if not scans:
        return []
    search = _Search([e for e, _, _ in scans], np.stack([p for _, p, _ in scans]), [digest for _, _, digest in scans])
    found: dict[tuple[int, int], Duplicate] = {}
    for i, j, bits, correlation, flipped in search.pairs():
        first, second = sorted((i, j))
        found[first, second] = _duplicate("near", [scans[first][0], scans[second][0]], bits, correlation, flipped)
    return [found[key] for key in sorted(found)]


Pair = tuple[int, int, int, float, bool]


class _Search:
    """All scans against all, a block at a time; memory grows with the number of scans, not with its square."""

    def __init__(self, entries: Sequence[Entry], prints: np.ndarray, digests: Sequence[str]) -> None:
        self.prints = prints
        self.signs = signs(prints)
        self.digests = _codes(digests)
        self.splits = _codes([e.split for e in entries])
        self.patients = _codes([e.patient or f"\0{i}" for i, e in enumerate(entries)])
        self.pooled = np.array([e.split in POOL for e in entries])

    def pairs(self) -> Iterator[Pair]:
        for start in range(0, len(self.prints), _BLOCK):
            block = self.prints[start : start + _BLOCK]
            bits = [((BITS - signs(x) @ self.signs.T) / 2).astype(np.int16) for x in (block, mirrored(block))]
            for row in range(len(block)):
                yield from self._of(start + row, bits[0][row], bits[1][row])

    def _of(self, i: int, straight: np.ndarray, flipped: np.ndarray) -> Iterator[Pair]:
        """The best match of scan `i` across splits, and the best within its split."""
        near = np.flatnonzero(np.minimum(straight, flipped) <= MAX_BITS)
        near = near[self.digests[near] != self.digests[i]]
        same_split = self.splits[near] == self.splits[i]
        same_patient = self.patients[near] == self.patients[i]
        repaired = same_patient & self.pooled[near] & self.pooled[i]
        for wanted in (~same_split & ~repaired, same_split & ~same_patient):
            matches = [
                match
                for is_flipped, bits in ((False, straight), (True, flipped))
                if (match := self._best(i, near[wanted], bits, is_flipped))
            ]
            if matches:
                yield max(matches, key=lambda match: match[3])

    def _best(self, i: int, near: np.ndarray, bits: np.ndarray, is_flipped: bool) -> Pair | None:
        near = near[bits[near] <= MAX_BITS]
        near = near[np.argsort(bits[near], kind="stable")[:_CONFIRMED]]
        if not len(near):
            return None
        own = self.prints[i : i + 1]
        correlation = details(self.prints[near]) @ details(mirrored(own) if is_flipped else own)[0]
        best = int(np.argmax(correlation))
        if correlation[best] < MIN_CORRELATION:
            return None
        return i, int(near[best]), int(bits[near[best]]), round(float(correlation[best]), 3), is_flipped


def _codes(values: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(values), return_inverse=True)[1]


def _duplicate(
    kind: Literal["exact", "near"],
    entries: Sequence[Entry],
    bits: int = 0,
    correlation: float = 1.0,
    is_mirrored: bool = False,
) -> Duplicate:
    return Duplicate(
        kind,
        verdict(entries),
        tuple(e.name for e in entries),
        tuple(sorted({e.split for e in entries})),
        tuple(sorted({e.label for e in entries})),
        tuple(sorted({e.patient for e in entries if e.patient})),
        bits,
        correlation,
        is_mirrored,
    )
