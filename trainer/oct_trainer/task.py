"""One training: what decides it, and whether it has been done already.

An interrupted training is gone on with by the same settings alone (see `checkpoints`), and a finished run of the same
settings is kept, so that a command that trains several networks goes on with the first that is missing. For a finished
run the starting weights count as what they were, not as the name they were asked for by; `metrics.json` has the digest.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oct_edge.errors import RunError
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.dataset import DataSet, split_digest
from oct_trainer.features import CACHE
from oct_trainer.machine import Machine
from oct_trainer.recipes import Recipe
from oct_trainer.run import read_finished_run
from oct_trainer.run_folder import find_run, is_unfinished
from oct_trainer.run_model import load_finished_run

SETTINGS = "settings_sha256"  # in the record of a run; runs of older versions have none


@dataclass(frozen=True)
class Task:
    """One training: `weights` as in `apply_weights`, folders for TensorBoard's logs and a frozen base's features."""

    network: str
    recipe: Recipe
    weights: str
    seed: int = 0
    tensorboard: Path | None = None
    cache: Path = Path(CACHE)

    def settings(self, split_sha256: str, machine: Machine) -> dict[str, Any]:
        """What has to be the same for an interrupted training to be gone on with."""
        return {
            "recipe": asdict(self.recipe),
            "weights": self.weights,
            "seed": self.seed,
            "data": split_sha256,
            "preprocessing": PREPROCESSING,
            "precision": machine.precision,
        }


def settings_digest(settings: dict[str, Any], starting: str) -> str:
    """The SHA-256 of a task's settings, with the digest of its `starting` weights in place of their name."""
    return hashlib.sha256(json.dumps(settings | {"weights": starting}, sort_keys=True).encode()).hexdigest()


def is_done(task: Task, data: DataSet, out: Path, starting: str, machine: Machine) -> bool:
    """Whether `out` has a run of this very task that can be used, and no later training of the network under way."""
    folder = out / task.network
    if is_unfinished(out, task.network) or find_run(out, task.network) != folder:
        return False
    try:
        recorded = read_finished_run(folder).record.get(SETTINGS)
        if recorded is None or recorded != settings_digest(task.settings(split_digest(data), machine), starting):
            return False
        load_finished_run(folder)
    except RunError:
        return False
    return True
