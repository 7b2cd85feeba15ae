"""Where a training stands, kept on disk after every epoch, so that the same command goes on from there.

    state.json                  settings, history, the counters of the callbacks, and which of these files is which
    epoch-<n>.weights.h5        weights and optimizer after epoch n: the last one, and the best one where one is kept

Keras' `BackupAndRestore` keeps neither the counters of `EarlyStopping` and `ReduceLROnPlateau` nor the place in the
data. Here the counters are kept, dropout is seeded anew for each epoch, and the data are a function of seed and epoch
(`stream.py`): an interrupted training ends with the weights of an uninterrupted one.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import write_atomically
from oct_trainer.run import first_line
from oct_trainer.run_folder import REPEAT, STATE, require_room

_COUNTERS = {
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
}
_BESIDES = 2**20  # bytes of all that is no weights


class Checkpoints(keras.callbacks.Callback):
    """Keeps `callbacks`, the model and its optimizer in `folder`. Stands behind them in the list given to `fit`.

    `history` has one row an epoch, also for those before an interruption; `first_epoch` is the one to go on with,
    unless the training has `stopped`: then there is none.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], callbacks: Sequence[Any], seed: int) -> None:
        super().__init__()
        self.folder, self.settings, self.seed = folder, json.loads(json.dumps(settings)), seed
        self.counted = {name: c for c in callbacks if (name := type(c).__name__) in _COUNTERS}
        self.history: list[dict[str, float]] = []
        self.stopped = False
        self.saved: dict[str, Any] = {}
        self.best_weights: list[np.ndarray] | None = None

    @property
    def first_epoch(self) -> int:
        return len(self.history)

    def restore(self, model: keras.Model) -> None:
        """Put `model` (compiled) where the interrupted training in the folder stood; does nothing where there is none.

        Raises:
            ConfigurationError: that training had other settings, or its files cannot be read.
        """
        path = self.folder / STATE
        if not path.exists():
            return
        with _reading(self.folder):
            self.saved = json.loads(path.read_text())
            _require_same(self.saved["settings"], self.settings, self.folder)
            self.history, self.stopped = self.saved["history"], self.saved["stopped"]
            model.optimizer.build(model.trainable_variables)
            if self.saved["best"]:
                self.best_weights = self._load(model, self.saved["best"])
            last = self._load(model, self.saved["last"])
        if self.stopped:
            model.set_weights(self.best_weights or last)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        for name, counters in self.saved.get("counters", {}).items():
            for counter, value in counters.items():
                setattr(self.counted[name], counter, value)
        if self.saved and "EarlyStopping" in self.counted:
            self.counted["EarlyStopping"].best_weights = self.best_weights
        require_room(self.folder, self._bytes_to_come())

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        sources = [layer.seed_generator for layer in self.model._flatten_layers() if hasattr(layer, "seed_generator")]
        for place, source in enumerate(sources):
            source.state.assign(np.random.SeedSequence((self.seed, epoch, place)).generate_state(2))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.history.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        last = _file_of(epoch)
        stopping = self.counted.get("EarlyStopping")
        best = _file_of(stopping.best_epoch) if stopping else None
        state = {
            "settings": self.settings,
            "history": self.history,
            "stopped": bool(self.model.stop_training) or epoch + 1 == self.params["epochs"],
            "last": last,
            "best": best,
            "counters": {
                name: {counter: _number(getattr(callback, counter)) for counter in _COUNTERS[name]}
                for name, callback in self.counted.items()
            },
        }
        with _writing(self.folder):
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
        finally:
            unfinished.unlink(missing_ok=True)

    def _load(self, model: keras.Model, name: str) -> list[np.ndarray]:
        model.load_weights(self.folder / name)
        return model.get_weights()

    def _bytes_to_come(self) -> int:
        """How much the folder will grow: the last epoch, the best one where it is kept, and one being written."""
        variables = (*self.model.variables, *self.model.optimizer.variables)
        one = sum(4 * prod(variable.shape) for variable in variables)
        there = sum(path.stat().st_size for path in self.folder.glob("*.weights.h5"))
        return (3 if "EarlyStopping" in self.counted else 2) * one + _BESIDES - there


def _file_of(epoch: int) -> str:
    return f"epoch-{epoch + 1}.weights.h5"


def _number(value: Any) -> float | int | None:
    return value if value is None or isinstance(value, int) else float(value)


def _require_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        raise ConfigurationError(
            f"{folder}: an unfinished training is there, and {', '.join(other)} of it differ from what is asked for.",
            hint="Repeat its command to finish it, or add --restart to discard it.",
        )


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{folder}: the unfinished training there cannot be read ({first_line(error)}).",
            hint="Move the folder away, or add --restart to discard it.",
        ) from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, OutputUnavailable) as error:
        raise OutputUnavailable(f"{folder}: an epoch cannot be kept ({_reason(error)}).", hint=REPEAT) from error


def _reason(error: Exception) -> str:
    """HDF5 says it in 300 characters, with the address of a buffer."""
    cause = error.__cause__ if isinstance(error, OutputUnavailable) else error
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else first_line(error)
