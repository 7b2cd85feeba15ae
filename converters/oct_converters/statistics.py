"""What the model's gate compares a new scan with: the training scans, as the device will see them.

Statistics are those of training patients. How far away a scan may be is taken from validation patients: of a hundred of
their scans one is turned away, and two or three more are left to a person. Where there are fewer than a hundred,
quantiles say little, and the limit is half as much again as the farthest of them.

A model of real scans gets a second group, of the synthetic phantoms, which samples and golden answers are.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from oct_edge.gate.familiarity import Familiarity, fit_familiarity
from oct_edge.gate.known import EMBEDDING, PHANTOMS, PICTURE, TRAINING, Group, Limit
from oct_edge.gate.picture import features
from oct_edge.gate.pixels import PixelLimits
from oct_edge.preprocess import expand, to_grey
from oct_edge.runtime import Runtime, open_runtime
from oct_edge.scan import read_scan
from oct_trainer.phantom import write_dataset
from oct_trainer.pictures import Pictures

DOUBTFUL, FOREIGN = 0.97, 0.99  # quantiles of validation scans
_ENOUGH, _ROOM = 100, 1.5
_FIGURES = 16  # directions of the 33 figures of a picture
_QUANTILES = (0.5, 0.9, 0.95, 0.98, 0.99, 1.0)
_PHANTOM_COUNT, _PHANTOM_SEED = 256, 20171

Figures = dict[str, np.ndarray]


def gate_statistics(
    int8: bytes, parts: Mapping[str, Pictures], *, phantoms: bool
) -> tuple[tuple[Group, ...], dict[str, Any]]:
    """The groups that the model knows, and the entry of the card with limits and quantiles of the distances.

    `phantoms` says that the training scans are phantoms themselves. There are no groups, and the reason is in the card,
    where a network that has learnt nothing has the same embedding for every scan.
    """
    runtime = open_runtime(int8)
    splits = {split: _figures(runtime, part.grey) for split, part in parts.items()}
    card: dict[str, Any] = {"pixels": asdict(PixelLimits()), "groups": {}}
    try:
        training = _group(TRAINING, splits["train"], splits["val"])
    except ValueError as error:
        return (), card | {"statistics": None, "reason": str(error)}
    groups = [training] if phantoms else [training, _phantom_group(runtime)]
    return tuple(groups), card | {
        "groups": {group.name: _limits(group) for group in groups},
        "statistics": "probabilistic PCA of figures of the picture, and of the int8 embedding",
        "fitted_on": {"split": "train", "scans": len(splits["train"][EMBEDDING])},
        "components": {kind: len(known.components) for kind, known in _known(training)},
        "distance": {
            kind: {split: _quantiles(known, figures[kind]) for split, figures in splits.items()}
            for kind, known in _known(training)
        },
    }


def _phantom_group(runtime: Runtime) -> Group:
    with TemporaryDirectory() as folder:
        root = Path(folder, PHANTOMS)
        write_dataset(root, _PHANTOM_COUNT, _PHANTOM_SEED, test_fraction=0.5)
        fit, limits = (_figures(runtime, _greys(root / split)) for split in ("train", "test"))
    return _group(PHANTOMS, fit, limits)


def _greys(folder: Path) -> np.ndarray:
    return np.stack([to_grey(read_scan(path)) for path in sorted(folder.rglob("*.jpeg"))])


def _group(name: str, fit: Figures, limits: Figures) -> Group:
    picture = fit_familiarity(fit[PICTURE], _FIGURES, standardise=True)
    embedding = fit_familiarity(fit[EMBEDDING])
    return Group(name, picture, embedding, _limit(picture, limits[PICTURE]), _limit(embedding, limits[EMBEDDING]))


def _limit(known: Familiarity, rows: np.ndarray) -> Limit:
    distances = [known.distance(row) for row in rows]
    if len(rows) < _ENOUGH:
        farthest = max(distances)
        return Limit(round(farthest, 4), round(_ROOM * farthest, 4))
    return Limit(*(round(float(np.quantile(distances, q)), 4) for q in (DOUBTFUL, FOREIGN)))


def _figures(runtime: Runtime, grey: np.ndarray) -> Figures:
    return {
        PICTURE: np.stack([features(picture) for picture in grey]),
        EMBEDDING: np.stack([_embedding(runtime, picture) for picture in grey]),
    }


def _embedding(runtime: Runtime, picture: np.ndarray) -> np.ndarray:
    return runtime.outputs["embedding"].dequantize(runtime.invoke(expand(picture))["embedding"])


def _limits(group: Group) -> dict[str, Any]:
    return {PICTURE: asdict(group.picture_limit), EMBEDDING: asdict(group.embedding_limit)}


def _known(group: Group) -> tuple[tuple[str, Familiarity], ...]:
    return (PICTURE, group.picture), (EMBEDDING, group.embedding)


def _quantiles(familiarity: Familiarity, rows: np.ndarray) -> dict[str, float]:
    distances = [familiarity.distance(row) for row in rows]
    return {f"{q:g}": round(float(np.quantile(distances, q)), 4) for q in _QUANTILES}
