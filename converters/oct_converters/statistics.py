"""The embeddings of the training scans, as the device will see them: what its gate compares a new scan with."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from oct_edge.familiarity import Familiarity, fit_familiarity
from oct_edge.preprocess import expand
from oct_edge.runtime import Runtime, open_runtime
from oct_trainer.pictures import Pictures

_QUANTILES = (0.5, 0.9, 0.95, 0.98, 0.99, 1.0)


def embedding_statistics(int8: bytes, parts: Mapping[str, Pictures]) -> tuple[Familiarity | None, dict[str, Any]]:
    """Fitted on the training scans, with the quantiles of the distance on every split for the card.

    None, with the reason, where a network that has learnt nothing has the same embedding for every scan.
    """
    runtime = open_runtime(int8)
    embeddings = {split: _embeddings(runtime, part.grey) for split, part in parts.items()}
    try:
        familiarity = fit_familiarity(embeddings["train"])
    except ValueError as error:
        return None, {"statistics": None, "reason": str(error)}
    return familiarity, {
        "statistics": "probabilistic PCA of the int8 embedding",
        "fitted_on": {"split": "train", "scans": len(embeddings["train"])},
        "components": len(familiarity.components),
        "distance": {split: _quantiles(familiarity, rows) for split, rows in embeddings.items()},
    }


def _embeddings(runtime: Runtime, grey: np.ndarray) -> np.ndarray:
    return np.stack([_embedding(runtime, picture) for picture in grey])


def _embedding(runtime: Runtime, picture: np.ndarray) -> np.ndarray:
    return runtime.outputs["embedding"].dequantize(runtime.invoke(expand(picture))["embedding"])


def _quantiles(familiarity: Familiarity, rows: np.ndarray) -> dict[str, float]:
    distances = [familiarity.distance(row) for row in rows]
    return {f"{q:g}": round(float(np.quantile(distances, q)), 4) for q in _QUANTILES}
