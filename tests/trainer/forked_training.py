"""`oct-train` in processes that end at a chosen moment, with one import of TensorFlow for all of them.

Reads one JSON object a line, forks, and answers with the exit code. The child is the command itself, in front of a
network that trains in a second, and with a `moment` at which it does something to itself: `[event, pattern, action]`.
Events are those of Python's audit hooks with the path they are about (`open`, `os.rename`, `os.remove`), and `batch`
(`<epoch>:<step>` is done), `weights` (a file of them has been written), `curves` and `model` (are about to be).
"""

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from oct_trainer import cli, fit  # noqa: F401  before the fork, not after each
from oct_trainer.event_log import EventLog
from oct_trainer.networks import NETWORKS
from oct_trainer.networks.layers import answer, pixels
from oct_trainer.progress import TrainingProgress
from oct_trainer.recipes import ARTICLE, BEST


@dataclass(frozen=True)
class Tiny:
    """In place of the compact network: what has a state of its own is in it, batch norm and two dropouts."""

    name: str = "compact"
    enlarged: int = 1

    def build(self, *, scaling: str = "unit", shrink: int = 1) -> keras.Model:
        inputs, x = pixels(scaling, shrink)
        if self.enlarged > 1:
            x = keras.layers.UpSampling2D(self.enlarged)(x)
        x = keras.layers.AveragePooling2D(56 * self.enlarged)(x)
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        x = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(x))
        x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(keras.layers.AveragePooling2D(x.shape[1] // 2)(x)))
        return keras.Model(inputs, answer(keras.layers.Dense(8, name="embedding")(x)), name="compact")


def act(action: str, path: str) -> None:
    """End this process, halve the file, or leave no room on the disk."""
    if action == "cut":
        os.truncate(path, Path(path).stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("fill"):
        with contextlib.suppress(OSError), open(Path(action.split()[1]) / "ballast", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    else:
        os.kill(os.getpid(), signal.Signals[action])


def arrange(event: str, pattern: str, action: str) -> None:
    left = [True]

    def watch(name: str, arguments: tuple[Any, ...]) -> None:
        if name == event and left and fnmatch(str(arguments[0]), pattern):
            left.clear()
            act(action, str(arguments[0]))

    sys.addaudithook(watch)


def announce() -> None:
    """Let what Python has no audit event for be one."""
    shown, logged = TrainingProgress.on_train_batch_end, EventLog.on_epoch_end
    saved, stored = keras.Model.save_weights, keras.Model.save

    def on_train_batch_end(self: Any, batch: int, logs: Any = None) -> None:
        shown(self, batch, logs)
        sys.audit("batch", f"{self.done}:{batch}")

    def save_weights(self: Any, path: Path, *arguments: Any, **options: Any) -> None:
        saved(self, path, *arguments, **options)
        sys.audit("weights", str(path))

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        sys.audit("curves", str(epoch))
        logged(self, epoch, logs)

    def save(self: Any, path: Path) -> None:
        sys.audit("model", str(path))
        stored(self, path)

    TrainingProgress.on_train_batch_end, EventLog.on_epoch_end = on_train_batch_end, on_epoch_end
    keras.Model.save_weights, keras.Model.save = save_weights, save


def run(task: dict[str, Any]) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(task[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    NETWORKS["compact"] = Tiny(**task.get("network", {}))  # type: ignore[assignment]
    for recipes in (ARTICLE, BEST):
        recipes["compact"] = replace(recipes["compact"], shrink=1, **task["recipe"])
    if task.get("devices"):
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            processor, [tf.config.LogicalDeviceConfiguration()] * task["devices"]
        )
    if task.get("memory"):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + task["memory"],) * 2)
    announce()
    if task.get("moment"):
        arrange(*task["moment"])
    sys.argv = ["oct-train", *task["arguments"]]
    cli.main()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(json.loads(line))
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
