"""What the networks share: how pixels come in and how an answer goes out."""

from typing import Any

from keras import Input, layers

from oct_edge.labels import LABELS
from oct_edge.preprocess import SIZE
from oct_trainer.networks import Scaling


def pixels(scaling: Scaling, shrink: int) -> tuple[Any, Any]:
    """The input (float32 `[n, 224, 224, 3]`, 0..255) and the tensor behind it, averaged by `shrink` and rescaled."""
    inputs = x = Input((SIZE, SIZE, 3), name="pixels")
    if shrink > 1:
        x = layers.AveragePooling2D(shrink, name="shrink")(x)
    if scaling == "unit":
        return inputs, layers.Rescaling(1 / 255, name="rescaling")(x)
    return inputs, layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(x)


def answer(x: Any) -> Any:
    """Dense 4 and its softmax, apart, so that logits can be had from the trained network; never in float16."""
    logits = layers.Dense(len(LABELS), name="logits", dtype="float32")(x)
    return layers.Softmax(name="scores", dtype="float32")(logits)
