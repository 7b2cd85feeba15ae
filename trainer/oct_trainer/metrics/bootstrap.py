"""How far a figure could be off, had other patients come.

Scans of one patient are not independent, so every 95 % interval resamples patients, not scans: percentile bootstrap,
2000 resamples. A resample is kept as how often each patient was drawn, so that a figure needs weights, not copies.

Where resampling sees no spread, because every scan is right or every one wrong, the interval is the exact binomial one
(Clopper & Pearson 1934) for as many trials as there are patients. It holds for every figure that is a mean of values
between two ends and stands at one of them. Where there is no spread anywhere else, as with one patient, nothing is
known of the spread: the interval is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
_CHUNK = 1 << 20  # weights in memory at a time

Figure = Callable[[np.ndarray], np.ndarray]  # of weights `[r, n]`, to `[r, ...]`


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where the data cannot give it (a class that does not occur)."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        return {"value": _rounded(self.value), "low": _rounded(self.low), "high": _rounded(self.high)}


class Bootstrap:
    """Resamples of the patients of `n` scans; the same patients are drawn for the same seed."""

    def __init__(self, patients: np.ndarray, *, seed: int = 0) -> None:
        names, self._index = np.unique(patients, return_inverse=True)
        self.patients = patients
        self._draws = _draws(len(names), seed)

    def resample(self, figure: Figure) -> np.ndarray:
        """The figure on each resample, `[2000, ...]`."""
        rows = max(1, _CHUNK // max(1, len(self._index)))
        chunks = (self._draws[start : start + rows, self._index] for start in range(0, RESAMPLES, rows))
        return np.concatenate([figure(weights.astype(float)) for weights in chunks])

    def estimate(
        self, figure: Figure, measured_on: np.ndarray | None = None, within: tuple[float, float] = (0.0, 1.0)
    ) -> Estimate:
        """The figure of all scans with its interval; `measured_on` (bool `[n]`) are the scans that it is a mean of."""
        value = float(figure(np.ones((1, len(self._index))))[0])
        return interval(value, self.resample(figure), self.count(measured_on), within)

    def count(self, measured_on: np.ndarray | None = None) -> int:
        """How many patients these scans are of."""
        return len(np.unique(self._index if measured_on is None else self._index[measured_on]))


def interval(value: float, resampled: np.ndarray, patients: int, within: tuple[float, float] = (0.0, 1.0)) -> Estimate:
    """The value with the 2.5 and 97.5 percentiles of its resamples, leaving out those that lack the class.

    `patients` is the number of those that the value is measured on, `within` the worst and best it could be.
    """
    known = resampled[~np.isnan(resampled)]
    if not len(known) or not patients:
        return Estimate(float(value), np.nan, np.nan)
    low, high = (float(end) for end in np.percentile(known, (2.5, 97.5)))
    if np.isclose(low, high, rtol=0, atol=1e-12):
        low, high = _without_spread(value, patients, within)
    return Estimate(float(value), low, high)


def exact_margin(patients: int) -> float:
    """How rare, at most, is what none of so many patients showed."""
    return float(1 - 0.025 ** (1 / patients))


def _without_spread(value: float, patients: int, within: tuple[float, float]) -> tuple[float, float]:
    lowest, highest = within
    margin = (highest - lowest) * exact_margin(patients)
    if np.isclose(value, highest, rtol=0, atol=1e-12):
        return highest - margin, highest
    if np.isclose(value, lowest, rtol=0, atol=1e-12):
        return lowest, lowest + margin
    return np.nan, np.nan


def _draws(patients: int, seed: int) -> np.ndarray:
    """How often each patient is in each resample, uint16 `[2000, patients]`."""
    rng = np.random.default_rng(seed)
    draws = np.empty((RESAMPLES, patients), np.uint16)
    if patients:
        for row in draws:
            row[:] = rng.multinomial(patients, np.full(patients, 1 / patients))
    return draws


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4) + 0.0  # no minus before zero
