"""Who answers, and what: the logits of the parent and of each descendant for the same scans."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oct_edge.errors import ModelUnfit, RuntimeUnavailable
from oct_edge.labels import LABELS
from oct_edge.preprocess import expand
from oct_edge.runtime import DEFAULT_KIND, Runtime, installed_runtimes, open_runtime
from oct_trainer.pictures import Pictures

KERAS = "keras"
FLOAT32 = "float32"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Reader:
    """One way to run a .tflite; `kind` is the runtime's and empty for the float32 model, which is no int8 reader."""

    name: str
    kind: str
    runtime: Runtime


@dataclass(frozen=True, eq=False)
class Answers:
    """`logits` maps a reader's name to float32 `[n, 4]`; `splits` says where each of the `n` pictures belongs."""

    pictures: Pictures
    splits: np.ndarray
    logits: Mapping[str, np.ndarray]

    def of(self, *splits: str) -> "Answers":
        """Those to the scans of these splits."""
        chosen = np.flatnonzero(np.isin(self.splits, splits))
        logits = {name: rows[chosen] for name, rows in self.logits.items()}
        return Answers(self.pictures.take(chosen), self.splits[chosen], logits)


def open_readers(float32: bytes, int8: bytes) -> tuple[list[Reader], dict[str, str]]:
    """The float32 model and the int8 model in every runtime that works here, with and without XNNPACK.

    The deployed runtime is the first int8 reader. The second value says why a runtime that is installed is missing.

    Raises:
        RuntimeUnavailable, ModelUnfit: the deployed runtime does not work, or cannot read the model.
    """
    readers = [Reader(FLOAT32, "", open_runtime(float32))]
    missing = {}
    for kind in sorted(installed_runtimes(), key=lambda kind: kind != DEFAULT_KIND):
        try:
            deployed = open_runtime(int8, kind)
        except (RuntimeUnavailable, ModelUnfit) as error:
            if kind == DEFAULT_KIND:
                raise
            missing[kind] = error.message
            continue
        readers.append(Reader(kind, kind, deployed))
        if kind == DEFAULT_KIND and not deployed.fell_back:
            readers.append(Reader(f"{kind} without XNNPACK", kind, open_runtime(int8, kind, kernels="builtin")))
    return readers, missing


def begin(parts: Mapping[str, Pictures], keras_logits: Callable[[np.ndarray], np.ndarray]) -> Answers:
    """The parent's answers to the pictures of all splits; `keras_logits` takes uint8 `[n, 224, 224]`."""
    pictures = _joined(list(parts.values()))
    splits = np.concatenate([np.full(len(part.grey), split) for split, part in parts.items()])
    return Answers(pictures, splits, {KERAS: keras_logits(pictures.grey)})


def answer(answers: Answers, readers: Sequence[Reader], on_progress: Progress | None = None) -> Answers:
    """With those of the readers; `on_progress` is told the reader, how many scans it has answered, and of how many."""
    logits = {reader.name: _run(reader, answers.pictures.grey, on_progress) for reader in readers}
    return replace(answers, logits={**answers.logits, **logits})


def _run(reader: Reader, grey: np.ndarray, on_progress: Progress | None) -> np.ndarray:
    logits = np.empty((len(grey), len(LABELS)), np.float32)
    for i, picture in enumerate(grey):
        logits[i] = reader.runtime.logits(expand(picture))
        if on_progress:
            on_progress(reader.name, i + 1, len(grey))
    return logits


def _joined(parts: list[Pictures]) -> Pictures:
    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        samples=tuple(sample for part in parts for sample in part.samples),
        grey=column("grey"),
        labels=column("labels"),
        patients=column("patients"),
        sha256=tuple(digest for part in parts for digest in part.sha256),
    )
