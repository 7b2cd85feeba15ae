"""The article's 16-conv CNN, its best: seven blocks in the manner of VGG, with batch norms, trained from scratch."""

import keras
from keras import layers

from oct_trainer.networks import Scaling
from oct_trainer.networks.layers import answer, convolution_block, pixels

BLOCKS = ((64, 2), (128, 2), (256, 2), (256, 3), (512, 3), (512, 3), (512, 1))


def build(scaling: Scaling, shrink: int) -> keras.Model:
    """18,277,700 parameters, 18,267,204 trainable; seven poolings leave one pixel of 224."""
    inputs, x = pixels(scaling, shrink)
    for block, (filters, convolutions) in enumerate(BLOCKS, start=1):
        x = convolution_block(x, block, filters, convolutions)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, answer(x), name="custom-vgg")
