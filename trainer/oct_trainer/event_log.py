"""Curves for TensorBoard: `train` and `validation` below one folder, one point an epoch.

The files follow the history that checkpoints keep: at the start of a training they are written anew from it. So an
epoch that was logged and then lost to an interruption does not stand there twice, and none is missing. (Keras' own
callback appends to whatever it finds.)
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from oct_edge.errors import OutputUnavailable
from oct_trainer.run import first_line
from oct_trainer.run_folder import REPEAT

_VALIDATION = "val_"
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR")


class EventLog(keras.callbacks.Callback):
    """Logs to `folder`, beginning with the epochs of `history`; what was there of another training is removed."""

    def __init__(self, folder: Path, history: Sequence[dict[str, float]]) -> None:
        super().__init__()
        self.folder, self.earlier = folder, list(history)
        self.writers: dict[str, Any] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        with _writing(self.folder):
            for left_over in self.folder.glob("*/events.out.tfevents.*"):
                left_over.unlink()
            self.writers = {
                part: tf.summary.create_file_writer(str(self.folder / part)) for part in ("train", "validation")
            }
            for row in self.earlier:
                self._write(row)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with _writing(self.folder):
            self._write({"epoch": epoch, **(logs or {})})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        with _writing(self.folder):
            for writer in self.writers.values():
                writer.close()

    def _write(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            if name != "epoch":
                part = "validation" if name.startswith(_VALIDATION) else "train"
                with self.writers[part].as_default():
                    tag = f"epoch_{name.removeprefix(_VALIDATION)}"
                    tf.summary.write(tag, np.float32(value), step=int(row["epoch"]), metadata=_SCALAR)
        for writer in self.writers.values():
            writer.flush()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise OutputUnavailable(
            f"{folder}: TensorBoard's files cannot be written ({first_line(error)}).",
            hint=REPEAT,
        ) from error
