"""VGG16 (Simonyan, Zisserman 2014) without top, frozen, under the article's one dense layer."""

import keras
from keras import layers

from oct_trainer.networks import Scaling
from oct_trainer.networks.layers import answer, pixels
from oct_trainer.networks.pretrained import frozen_base


def build(scaling: Scaling, shrink: int) -> keras.Model:
    """21,138,500 parameters, 6,423,812 trainable: nearly all of them read the 25,088 features of the base."""
    inputs, x = pixels(scaling, shrink)
    x = layers.Flatten(name="flatten")(frozen_base("vgg16", x))
    x = layers.Dense(256, activation="relu", name="embedding")(x)
    return keras.Model(inputs, answer(layers.Dropout(0.3, name="dropout")(x)), name="vgg16")
