"""The scans that set the ranges of the int8 model: class-balanced, from training patients only.

The input scale of a quantized model follows its calibration data: pictures from 0 to 255 give exactly 1.0, pictures
from 12 to 235 give 0.92, silently. So two corner pixels of every calibration picture are pinned to 0 and 255, and the
number of pictures that the converter really consumed is counted, because a set that is not consumed is silent too.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from oct_edge.errors import CalibrationError
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand
from oct_trainer.pictures import Pictures

MIN_SCANS = 16  # four a class


@dataclass
class CalibrationSet:
    """Indices into the training pictures, their tensors on request, and how many were consumed."""

    pictures: Pictures
    chosen: tuple[int, ...]
    consumed: int = field(default=0)

    @property
    def sha256(self) -> str:
        """Identity of the set: the digest of its scans' digests, in order."""
        return hashlib.sha256("\n".join(self.pictures.sha256[i] for i in self.chosen).encode()).hexdigest()

    def histogram(self) -> dict[str, int]:
        labels = [int(self.pictures.labels[i]) for i in self.chosen]
        return {name: labels.count(i) for i, name in enumerate(LABELS)}

    def representative_dataset(self) -> Callable[[], Iterator[list[np.ndarray]]]:
        """What TFLiteConverter asks for: float32 `[1, 224, 224, 3]` tensors that each span 0..255."""

        def batches() -> Iterator[list[np.ndarray]]:
            for index in self.chosen:
                self.consumed += 1
                yield [_spanning(self.pictures.grey[index]).astype(np.float32)]

        return batches

    def require_consumed(self) -> None:
        """Raise `CalibrationError` unless the converter took every picture exactly once."""
        if self.consumed != len(self.chosen):
            raise CalibrationError(
                f"the converter consumed {self.consumed} of {len(self.chosen)} calibration scans.",
                hint="Convert again; ranges from a part of the set are not those that were asked for.",
            )


def draw_calibration(training: Pictures, count: int, seed: int = 0) -> CalibrationSet:
    """`count` scans, the same number of each class, of as many patients as possible.

    Raises:
        CalibrationError: these would be fewer than `MIN_SCANS`.
    """
    available = np.bincount(training.labels, minlength=len(LABELS))
    take = min(count // len(LABELS), int(available.min()))
    if take * len(LABELS) < MIN_SCANS:
        raise CalibrationError(
            f"{count} scans of classes with {available.tolist()} training scans make no calibration set.",
            hint=f"Calibrate with {MIN_SCANS} scans or more, as many of each class.",
        )
    rng = random.Random(seed)
    chosen = [i for label in range(len(LABELS)) for i in _patients_first(training, label, rng)[:take]]
    return CalibrationSet(training, tuple(chosen))


def some_of_each_class(pictures: Pictures, per_class: int) -> np.ndarray:
    """Indices of the first so many scans of every class, or of all where a class has fewer."""
    return np.concatenate([np.flatnonzero(pictures.labels == i)[:per_class] for i in range(len(LABELS))])


def require_apart(calibration: CalibrationSet, held_out: Iterable[Pictures], *, leak_allowed: bool = False) -> None:
    """Raise `CalibrationError` if what the result is proven on was used to calibrate: the scan, or its patient.

    A run that was trained with a leak that was allowed, and says so, may share patients; never scans.
    """
    chosen = list(calibration.chosen)
    scans = {calibration.pictures.sha256[i] for i in chosen}
    patients = set() if leak_allowed else {str(calibration.pictures.patients[i]) for i in chosen}
    for part in held_out:
        shared = [
            digest in scans or patient in patients for digest, patient in zip(part.sha256, part.patients, strict=True)
        ]
        if any(shared):
            raise CalibrationError(
                f"{sum(shared)} held-out scans are calibration scans too, or of their patients.",
                hint="`oct-train audit` lists what leaks; remove one side and train again.",
            )


def _patients_first(pictures: Pictures, label: int, rng: random.Random) -> Sequence[int]:
    """Indices of a class in random order, each patient's second scan after every patient's first."""
    indices = [int(i) for i in np.flatnonzero(pictures.labels == label)]
    rng.shuffle(indices)
    seen: dict[str, int] = defaultdict(int)
    turns = []
    for index in indices:
        patient = str(pictures.patients[index])
        turns.append((seen[patient], index))
        seen[patient] += 1
    return [index for _, index in sorted(turns, key=lambda turn: turn[0])]


def _spanning(grey: np.ndarray) -> np.ndarray:
    pinned = grey.copy()
    pinned[0, 0], pinned[-1, -1] = 0, 255
    return expand(pinned)
