"""Training on a terminal: one bar with loss, accuracy and time left; one line an epoch in a log file."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_REMEMBERED = 600.0  # seconds whose pace is that of the time left: more than a step, and the pauses between epochs


class TrainingProgress(keras.callbacks.Callback):
    """Shows `total` epochs of `steps` steps on stderr, of which `done` are behind."""

    def __init__(
        self, title: str, total: int, steps: int, done: int = 0, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__()
        self.title, self.total, self.done = title, total, done
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=_REMEMBERED,
            get_time=clock,
            disable=not sys.stderr.isatty(),
        )
        self.task = self.bar.add_task(title, total=total * steps, completed=done * steps, figures="")

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        figures = f"loss {(logs or {}).get('loss', 0):.3f}  accuracy {(logs or {}).get('accuracy', 0):.3f}"
        self.bar.update(self.task, advance=1, figures=figures, description=f"{self.title} {self._epoch()}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        self.bar.console.print(f"{self.title} {self._epoch()}: {figures}", highlight=False, soft_wrap=True)
        self.done += 1

    def _epoch(self) -> str:
        return f"epoch {self.done + 1}/{self.total}"
