"""The trained layers as the device sees them: a fixed batch of one, and every output of the model contract."""

from typing import Any

import keras

from oct_edge.preprocess import SIZE

ALWAYS = ("scores", "logits", "embedding")
CAM = "cam"


def export(model: keras.Model) -> keras.Model:
    """`model` behind an input of batch one, with all outputs of the contract that it can give."""
    pixels = keras.Input(batch_shape=(1, SIZE, SIZE, 3), name="pixels")
    outputs = {name: model.get_layer(name).output for name in ALWAYS}
    maps = _feature_maps(model)
    if maps is not None:
        outputs[CAM] = _class_activation(model, maps)
    inner = keras.Model(model.inputs, outputs)
    return keras.Model(pixels, inner(pixels))


def outputs_of(model: keras.Model) -> tuple[str, ...]:
    """Names of the outputs that `export` gives, in the order of the contract."""
    return ALWAYS if _feature_maps(model) is None else (*ALWAYS, CAM)


def _feature_maps(model: keras.Model) -> Any:
    """What the global average pooling reads, if the logits read nothing but its means (dropout is not in the way)."""
    pooling = model.get_layer("embedding")
    if not isinstance(pooling, keras.layers.GlobalAveragePooling2D):
        return None
    return pooling.input if model.get_layer("logits").input is pooling.output else None


def _class_activation(model: keras.Model, maps: Any) -> Any:
    """The class activation map (Zhou et al. 2016), `[1, h, w, 4]`: its mean over the picture is the logits."""
    kernel, bias = model.get_layer("logits").get_weights()
    convolution = keras.layers.Conv2D(len(bias), 1, name=CAM)
    result = convolution(maps)
    convolution.set_weights([kernel.reshape(1, 1, -1, len(bias)), bias])
    return result
