"""What the workstation has, and how a network is built and compiled to use it.

Mixed precision and XLA are for GPUs: on a processor XLA makes a training step of these networks two to five times
slower (`benchmarks/xla.py`), and Keras turns it on unless told otherwise. Whatever the precision of the training, the
weights are float32 and so is the model that is saved.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from oct_edge.errors import ConfigurationError, OutOfMemory
from oct_trainer.run_options import Precision, Strategy


@dataclass(frozen=True)
class Machine:
    """`mixed` computes in float16 with float32 weights; `jit` compiles with XLA; `strategy` spreads a batch."""

    mixed: bool
    jit: bool
    strategy: Any

    @property
    def precision(self) -> str:
        return Precision.mixed.value if self.mixed else Precision.float32.value

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    def require_share(self, batch: int) -> None:
        """Raise `ConfigurationError` unless a batch can be shared evenly."""
        if batch % self.replicas:
            raise ConfigurationError(
                f"a batch of {batch} scans cannot be shared evenly among {self.replicas} devices.",
                hint=f"Add --batch with a multiple of {self.replicas}.",
            )

    @contextmanager
    def building(self) -> Iterator[None]:
        """Networks built and compiled in this block are for this machine."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16" if self.mixed else "float32")
        try:
            with self.strategy.scope():
                yield
        finally:
            keras.config.set_dtype_policy(before)


def find_machine(precision: Precision = Precision.auto, strategy: Strategy = Strategy.none) -> Machine:
    """All GPUs with `mirrored`, else the first one, else the processor; mixed precision by default on GPUs only."""
    gpus = tf.config.list_physical_devices("GPU")
    mixed = precision is Precision.mixed or (precision is Precision.auto and bool(gpus))
    if strategy is Strategy.mirrored:
        return Machine(mixed, False, tf.distribute.MirroredStrategy())
    return Machine(mixed, bool(gpus), tf.distribute.get_strategy())


@contextmanager
def memory_guarded(batch: int) -> Iterator[None]:
    """Turns running out of memory, the device's or the machine's, into an error that says what to lower."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise OutOfMemory(
            f"memory ran out with batches of {batch} scans.",
            hint=f"Repeat with --batch {max(1, batch // 2)} --restart, or train on fewer scans with --limit.",
        ) from error
