"""Is a training step faster or slower when it is compiled with XLA, which Keras does unless told otherwise?

Both kinds of step are taken in turns, in one process, so that both meet the same machine; the median of the ratios is
what counts, and decides what `oct_trainer.machine` chooses without a GPU. The time of compiling is not counted. Prints
a table and writes `xla.json` into the current folder.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf
from intervals import interval

from oct_trainer.networks import NETWORKS

PAIRS = 10
BATCH = 4
NAMES = ("mobilenet", "compact")


def training_step(name: str, jit: bool) -> Callable[[], float]:
    """A step on random scans through all layers; it returns its seconds. The first, which compiles, is behind."""
    model = NETWORKS[name].build()
    for layer in model._flatten_layers():
        layer.trainable = True
    model.compile("adam", "categorical_crossentropy", jit_compile=jit)
    draws = np.random.default_rng(0)
    scans = tf.constant(draws.uniform(0, 255, (BATCH, 224, 224, 3)).astype(np.float32))
    labels = tf.constant(np.eye(4, dtype=np.float32)[np.arange(BATCH) % 4])

    def step() -> float:
        start = time.perf_counter()
        model.train_on_batch(scans, labels)
        return time.perf_counter() - start

    step()
    return step


def measure(name: str) -> dict[str, Any]:
    plain, compiled = training_step(name, jit=False), training_step(name, jit=True)
    pairs = [(plain(), compiled()) for _ in range(PAIRS)]
    ratios = [with_xla / without for without, with_xla in pairs]
    low, high = interval(ratios)
    return {
        "network": name,
        "pairs": PAIRS,
        "batch": BATCH,
        "plain_ms_a_scan": round(1000 * statistics.median(a for a, _ in pairs) / BATCH, 1),
        "xla_ms_a_scan": round(1000 * statistics.median(b for _, b in pairs) / BATCH, 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(low, 2),
        "ratio_high": round(high, 2),
    }


def main() -> None:
    print("network      without XLA   with XLA   ratio (95 % interval)")
    rows = []
    for name in NAMES:
        row = measure(name)
        rows.append(row)
        spread = f"{row['ratio']:.2f} ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})"
        times = f"{row['plain_ms_a_scan']:>8.1f} ms   {row['xla_ms_a_scan']:>5.1f} ms"
        print(f"{name:<12} {times}   {spread}", flush=True)
    devices = [device.device_type for device in tf.config.list_physical_devices()]
    Path("xla.json").write_text(json.dumps({"devices": devices, "networks": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
