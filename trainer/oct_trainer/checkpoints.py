"""Where a training stands, kept on disk after every epoch, so that the same command goes on from there.

    state.json                  settings, history, the counters of the callbacks, and which of these files is which
    epoch-<n>.weights.h5        weights and optimizer after epoch n: the last one, and the best one where one is kept

Keras' `BackupAndRestore` keeps neither the counters of `EarlyStopping` and `ReduceLROnPlateau` nor the place in the
data. Here the counters are kept, dropout is seeded anew for each epoch, and the data are a function of seed and epoch
(`stream.py`): an interrupted training ends with the weights of an uninterrupted one.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import write_atomically
from oct_trainer.run_folder import STATE

_COUNTERS = {
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
}


class Checkpoints(keras.callbacks.Callback):
    """Keeps `callbacks`, the model and its optimizer in `folder`. Stands behind them in the list given to `fit`.

    `history` has one row an epoch, also for those before an interruption; `first_epoch` is the one to go on with.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], callbacks: Sequence[Any], seed: int) -> None:
        super().__init__()
        self.folder, self.settings, self.seed = folder, json.loads(json.dumps(settings)), seed
        self.counted = {name: c for c in callbacks if (name := type(c).__name__) in _COUNTERS}
        self.history: list[dict[str, float]] = []
        self.stopped = False
        self.saved: dict[str, Any] = {}

    @property
    def first_epoch(self) -> int:
        return len(self.history)

    def restore(self, model: keras.Model) -> None:
        """Put `model` (compiled) where the interrupted training in the folder stood; does nothing where there is none.

        Raises:
            ConfigurationError: that training had other settings.
        """
        path = self.folder / STATE
        if not path.exists():
            return
        self.saved = json.loads(path.read_text())
        _require_same(self.saved["settings"], self.settings, self.folder)
        self.history, self.stopped = self.saved["history"], self.saved["stopped"]
        model.optimizer.build(model.trainable_variables)
        self.best_weights = self._load(model, self.saved["best"]) if self.saved["best"] else None
        self._load(model, self.saved["last"])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        for name, counters in self.saved.get("counters", {}).items():
            for counter, value in counters.items():
                setattr(self.counted[name], counter, value)
        if self.saved and "EarlyStopping" in self.counted:
            self.counted["EarlyStopping"].best_weights = self.best_weights

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        sources = [layer.seed_generator for layer in self.model._flatten_layers() if hasattr(layer, "seed_generator")]
        for place, source in enumerate(sources):
            source.state.assign(np.array([self.seed + epoch, place], source.state.dtype))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.history.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        last = f"epoch-{epoch + 1}.weights.h5"
        stopping = self.counted.get("EarlyStopping")
        best = f"epoch-{stopping.best_epoch + 1}.weights.h5" if stopping else None
        state = {
            "settings": self.settings,
            "history": self.history,
            "stopped": bool(self.model.stop_training),
            "last": last,
            "best": best,
            "counters": {
                name: {counter: _number(getattr(callback, counter)) for counter in _COUNTERS[name]}
                for name, callback in self.counted.items()
            },
        }
        self._save(last)
        write_atomically(self.folder / STATE, json.dumps(state).encode())
        for path in self.folder.glob("*.weights.h5"):
            if path.name not in (last, best):
                path.unlink()

    def _save(self, name: str) -> None:
        """Whole or not at all: a disk that fills costs this epoch, not the training."""
        unfinished = self.folder / f"unfinished-{name}"
        try:
            self.model.save_weights(unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.rename(self.folder / name)
        except (OSError, RuntimeError) as error:
            unfinished.unlink(missing_ok=True)
            raise OutputUnavailable(
                f"{self.folder}: the weights of an epoch cannot be written ({str(error).splitlines()[0]}).",
                hint="Free some space, then repeat the command: it goes on after the last epoch that was kept.",
            ) from error

    def _load(self, model: keras.Model, name: str) -> list[np.ndarray]:
        model.load_weights(self.folder / name)
        return model.get_weights()


def _number(value: Any) -> float | int | None:
    return value if value is None or isinstance(value, int) else float(value)


def _require_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        raise ConfigurationError(
            f"{folder}: an unfinished training is there, and {', '.join(other)} of it differ from what is asked for.",
            hint="Repeat its command to finish it, or add --restart to discard it.",
        )
