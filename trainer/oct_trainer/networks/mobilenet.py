"""MobileNet v1 1.0/224 (Howard et al. 2017) without top, frozen, under the article's three dense layers."""

import keras
from keras import layers

from oct_trainer.networks import Scaling
from oct_trainer.networks.layers import answer, pixels
from oct_trainer.networks.pretrained import frozen_base


def build(scaling: Scaling, shrink: int) -> keras.Model:
    """5,854,916 parameters, 2,626,052 trainable."""
    inputs, x = pixels(scaling, shrink)
    x = frozen_base("mobilenet", x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    for i, units in enumerate((1024, 1024, 512)):
        x = layers.Dense(units, activation="relu", name=f"dense_{i + 1}")(x)
    return keras.Model(inputs, answer(x), name="mobilenet")
