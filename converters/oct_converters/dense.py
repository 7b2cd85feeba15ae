"""Give a dense layer a form that every runtime's reference kernels compute alike.

Reference kernels are what golden answers are made with, and are to answer the same on every machine. Those for fully
connected layers are not the same in LiteRT 2.3 and in tflite-runtime 2.14: on about one scan in ten a logit of
`mobilenet` came out one step apart. Those for convolutions are, and a dense layer is a 1x1 convolution of one pixel.
"""

from typing import Any

import keras

from oct_converters.clone import rebuilt


class _Dense(keras.layers.Layer):
    """`[n, c]` to `[n, units]`, the weights being those of a convolution, `[1, 1, c, units]` and `[units]`."""

    def __init__(self, units: int, activation: Any, name: str) -> None:
        super().__init__(name=name)
        self._units = units
        self._convolution = keras.layers.Conv2D(units, 1, activation=activation, name=name)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self._convolution.build((None, 1, 1, shape[-1]))

    def call(self, inputs: Any) -> Any:
        pixel = keras.ops.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
        return keras.ops.reshape(self._convolution(pixel), (-1, self._units))


def dense_as_convolutions(model: keras.Model) -> keras.Model:
    """The same function with every dense layer as a 1x1 convolution; `model` is kept."""

    def instead(layer: Any) -> tuple[Any, list[Any]] | None:
        if not isinstance(layer, keras.layers.Dense):
            return None
        kernel, bias = layer.get_weights()
        return _Dense(layer.units, layer.activation, layer.name), [kernel[None, None], bias]

    return rebuilt(model, instead)
