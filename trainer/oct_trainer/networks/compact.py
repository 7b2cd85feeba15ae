"""The article's 5-conv CNN: small in parameters, not in work (5.6 G multiply-adds)."""

import keras
from keras import layers

from oct_trainer.networks import Scaling
from oct_trainer.networks.layers import answer, convolution, convolution_block, pixels


def build(scaling: Scaling, shrink: int) -> keras.Model:
    """558,916 parameters, 557,636 trainable, whatever `shrink` is: it is fully convolutional up to the pooling."""
    inputs, x = pixels(scaling, shrink)
    for block, filters in enumerate((64, 128), start=1):
        x = convolution_block(x, block, filters, convolutions=2)
    x = layers.GlobalAveragePooling2D(name="embedding")(convolution(x, 256))
    return keras.Model(inputs, answer(x), name="compact")
