"""The pre-trained bases: which of `keras.applications` a network stands on, and where it is inside of it."""

from typing import Any

import keras

APPLICATIONS = {"mobilenet": keras.applications.MobileNet, "vgg16": keras.applications.VGG16}


def frozen_base(network: str, x: Any) -> Any:
    """What the base, without top, with random weights and not trainable, makes of `x`; its batch norms infer."""
    base = APPLICATIONS[network](input_shape=x.shape[1:], include_top=False, weights=None, name=base_name(network))
    base.trainable = False
    return base(x)


def base_name(network: str) -> str:
    """The layer of a network that is its base."""
    return f"{network}_base"
