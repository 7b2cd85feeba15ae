"""A finished run together with its model."""

import os
from pathlib import Path

import keras

from oct_edge.errors import RunError
from oct_edge.preprocess import PREPROCESSING
from oct_trainer.run import FinishedRun, first_line, read_finished_run, require_entries


def load_finished_run(folder: Path) -> tuple[FinishedRun, keras.Model]:
    """The run in `folder`, and its network with the weights of the chosen epoch.

    Raises:
        RunError: a file of the run is missing, unreadable, of another version or of another run.
    """
    try:
        before = folder.stat()
        run = read_finished_run(folder)
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        replaced = not os.path.samestat(before, folder.stat())
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{folder}: not a finished run ({first_line(error)}).") from error
    if replaced:
        raise RunError(f"{folder}: a training replaced it while it was read.", hint="Start again.")
    require_entries(folder, run.record, {"network": model.name, "preprocessing": PREPROCESSING})
    return run, model
