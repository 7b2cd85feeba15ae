"""A copy of a network in which some layers are others."""

from collections.abc import Callable
from typing import Any

import keras

Instead = Callable[[Any], tuple[Any, list[Any]] | None]
"""What stands in a layer's place, and its weights; None where the layer stays."""


def rebuilt(model: keras.Model, instead: Instead) -> keras.Model:
    """A copy of the model with the same weights, but for the layers that `instead` replaces; `model` is kept."""
    replaced = {layer.name: other for layer in model.layers if (other := instead(layer))}

    def copy(layer: Any) -> Any:
        if layer.name in replaced:
            return replaced[layer.name][0]
        return type(layer).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=copy)
    for layer in clone.layers:
        layer.set_weights(
            replaced[layer.name][1] if layer.name in replaced else model.get_layer(layer.name).get_weights()
        )
    return clone
