"""What the networks share: how pixels come in, a block of convolutions, and how an answer goes out."""

from typing import Any

from keras import Input, layers

from oct_edge.labels import LABELS
from oct_edge.preprocess import SIZE
from oct_trainer.networks import Scaling

# Factor and offset. Those of `caffe` are for blue, green and red; in a grey scan it does not matter which is which.
_RESCALING: dict[Scaling, tuple[float, float | list[float]]] = {
    "unit": (1 / 255, 0.0),
    "symmetric": (1 / 127.5, -1.0),
    "caffe": (1.0, [-103.939, -116.779, -123.68]),
}


def pixels(scaling: Scaling, shrink: int) -> tuple[Any, Any]:
    """The input (float32 `[n, 224, 224, 3]`, 0..255) and the tensor behind it, averaged by `shrink` and rescaled."""
    inputs = x = Input((SIZE, SIZE, 3), name="pixels")
    if shrink > 1:
        x = layers.AveragePooling2D(shrink, name="shrink")(x)
    factor, offset = _RESCALING[scaling]
    return inputs, layers.Rescaling(factor, offset=offset, name="rescaling")(x)


def convolution(x: Any, filters: int) -> Any:
    """3x3 with ReLU, and the batch norm behind it, as in both of the article's own networks."""
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.BatchNormalization()(x)


def convolution_block(x: Any, block: int, filters: int, convolutions: int) -> Any:
    """So many convolutions, then half the size and a fifth dropped."""
    for _ in range(convolutions):
        x = convolution(x, filters)
    x = layers.MaxPooling2D(name=f"pool_{block}")(x)
    return layers.Dropout(0.2, name=f"dropout_{block}")(x)


def answer(x: Any) -> Any:
    """Dense 4 and its softmax, apart, so that logits can be had from the trained network; never in float16."""
    logits = layers.Dense(len(LABELS), name="logits", dtype="float32")(x)
    return layers.Softmax(name="scores", dtype="float32")(logits)
