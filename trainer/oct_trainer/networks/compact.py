"""The article's 5-conv CNN: small in parameters, not in work (5.6 G multiply-adds)."""

from typing import Any

import keras
from keras import layers

from oct_trainer.networks import Scaling
from oct_trainer.networks.layers import answer, pixels


def build(scaling: Scaling, shrink: int) -> keras.Model:
    """558,916 parameters, 557,636 trainable, whatever `shrink` is: it is fully convolutional up to the pooling."""
    inputs, x = pixels(scaling, shrink)
    for block, (filters, convolutions) in enumerate(((64, 2), (128, 2)), start=1):
        for _ in range(convolutions):
            x = _convolution(x, filters)
        x = layers.MaxPooling2D(name=f"pool_{block}")(x)
        x = layers.Dropout(0.2, name=f"dropout_{block}")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(_convolution(x, 256))
    return keras.Model(inputs, answer(x), name="compact")


def _convolution(x: Any, filters: int) -> Any:
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.BatchNormalization()(x)
