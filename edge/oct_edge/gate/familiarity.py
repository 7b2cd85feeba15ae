"""How far some figures of a scan are from those of scans that are known.

The mean, the few directions in which those of the known scans vary most, the variance along each, and one variance for
everything else. Together they are the Gaussian of probabilistic PCA (Tipping & Bishop 1999), whose Mahalanobis distance
needs no matrix of the size squared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

COMPONENTS = 32
_ARRAYS = ("mean", "scale", "components", "variances", "rest")


@dataclass(frozen=True, eq=False)
class Familiarity:
    """float32: `mean` and `scale` `[d]`, `components` `[k, d]` of unit length, `variances` `[k]`, `rest`; k < d."""

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    rest: float

    def __post_init__(self) -> None:
        k, d = self.components.shape
        if self.mean.shape != (d,) or self.scale.shape != (d,) or self.variances.shape != (k,) or k >= d:
            raise ValueError("the statistics of known scans do not belong together")
        if not (np.isfinite(self.components).all() and np.isfinite(self.mean).all()):
            raise ValueError("the statistics of known scans are not finite")
        if not ((self.variances > 0).all() and (self.scale > 0).all() and 0 < self.rest < np.inf):
            raise ValueError("the variances of known scans are not positive")

    def distance(self, figures: np.ndarray) -> float:
        """Root mean square of the standardised coordinates of float `[d]`: about 1 for a scan that is known."""
        offset = (figures.astype(np.float64) - self.mean) / self.scale
        along = self.components @ offset
        beyond = max(0.0, float(offset @ offset - along @ along))
        return float(np.sqrt(((along**2 / self.variances).sum() + beyond / self.rest) / len(offset)))

    def arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` takes, to be stored."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "components": self.components,
            "variances": self.variances,
            "rest": np.array(self.rest, np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str = "") -> "Familiarity":
        """Raises KeyError or ValueError for what are no such arrays."""
        mean, scale, components, variances, rest = (arrays[prefix + name] for name in _ARRAYS)
        return cls(mean, scale, components, variances, float(rest))


def fit_familiarity(figures: np.ndarray, components: int = COMPONENTS, *, standardise: bool = False) -> Familiarity:
    """The statistics of figures float `[n, d]`; fewer components where there are few scans.

    `standardise` gives figures of different kinds the same weight. Those of an embedding have one kind.

    Raises:
        ValueError: fewer than three scans, or all alike.
    """
    n, d = figures.shape
    if n < 3:
        raise ValueError(f"{n} scans have no statistics")
    mean = figures.mean(0, dtype=np.float64)
    spread = figures.std(0, dtype=np.float64)
    scale = np.where(spread > 0, spread, 1.0) if standardise else np.ones(d)
    _, lengths, directions = np.linalg.svd((figures - mean) / scale, full_matrices=False)
    variances = lengths**2 / (n - 1)
    k = min(components, n - 2, d - 1)
    rest = float(variances[k:].sum() / (d - k))
    if rest <= 0:
        raise ValueError("the scans are all alike")
    return Familiarity(
        mean.astype(np.float32),
        scale.astype(np.float32),
        directions[:k].astype(np.float32),
        np.maximum(variances[:k], rest).astype(np.float32),
        rest,
    )
