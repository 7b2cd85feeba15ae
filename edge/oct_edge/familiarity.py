"""How far a scan's embedding is from those of the training scans.

The statistics travel with the model as `gate.npz`: the mean, the few directions in which the training embeddings vary
most, the variance along each, and one variance for everything else. Together they are the Gaussian of probabilistic
PCA (Tipping & Bishop 1999), whose Mahalanobis distance needs no matrix of the embedding's size squared.
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np

COMPONENTS = 32


@dataclass(frozen=True, eq=False)
class Familiarity:
    """float32: `mean` `[d]`, `components` `[k, d]` of unit length, `variances` `[k]`, `rest` a variance; k < d."""

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    rest: float

    def __post_init__(self) -> None:
        k, d = self.components.shape
        if self.mean.shape != (d,) or self.variances.shape != (k,) or k >= d:
            raise ValueError("the statistics of the embedding do not belong together")
        if not (np.isfinite(self.components).all() and np.isfinite(self.mean).all()):
            raise ValueError("the statistics of the embedding are not finite")
        if not (self.variances > 0).all() or not 0 < self.rest < np.inf:
            raise ValueError("the variances of the embedding are not positive")

    def distance(self, embedding: np.ndarray) -> float:
        """Root mean square of the standardised coordinates of an embedding float `[d]`: about 1 for a training scan."""
        offset = embedding.astype(np.float64) - self.mean
        along = self.components @ offset
        beyond = max(0.0, float(offset @ offset - along @ along))
        return float(np.sqrt(((along**2 / self.variances).sum() + beyond / self.rest) / len(offset)))

    def to_npz(self) -> bytes:
        buffer = BytesIO()
        np.savez(
            buffer,
            mean=self.mean.astype(np.float32),
            components=self.components.astype(np.float32),
            variances=self.variances.astype(np.float32),
            rest=np.float32(self.rest),
        )
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> "Familiarity":
        """Raises ValueError, KeyError or what `numpy.load` raises for what is no such file."""
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return cls(arrays["mean"], arrays["components"], arrays["variances"], float(arrays["rest"]))


def fit_familiarity(embeddings: np.ndarray, components: int = COMPONENTS) -> Familiarity:
    """The statistics of embeddings float `[n, d]`; fewer components where there are few scans.

    Raises:
        ValueError: fewer than three scans, or all alike.
    """
    n, d = embeddings.shape
    if n < 3:
        raise ValueError(f"{n} embeddings have no statistics")
    mean = embeddings.mean(0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(embeddings - mean, full_matrices=False)
    variances = lengths**2 / (n - 1)
    k = min(components, n - 2, d - 1)
    rest = float(variances[k:].sum() / (d - k))
    if rest <= 0:
        raise ValueError("the embeddings do not vary")
    return Familiarity(
        mean.astype(np.float32),
        directions[:k].astype(np.float32),
        np.maximum(variances[:k], rest).astype(np.float32),
        rest,
    )
