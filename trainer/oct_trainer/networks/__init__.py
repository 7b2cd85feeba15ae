"""The article's networks, one short file each, and the one table that names them.

Every network takes raw pixels, float32 `[n, 224, 224, 3]` in 0..255: rescaling is its first layer. Its last two layers
are called `logits` (Dense 4) and `scores` (softmax), its pooled features `embedding`, so that a converter finds them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

Scaling = Literal["unit", "symmetric"]  # x/255 as in the article, or x/127.5-1 as MobileNet was pre-trained


@dataclass(frozen=True)
class Network:
    """What the article says of a network; `accuracy` is the article's, in per cent, on its 3,223 images."""

    name: str
    title: str
    parameters: int
    trainable: int
    accuracy: float

    def build(self, *, scaling: Scaling = "unit", shrink: int = 1) -> "keras.Model":
        """The untrained network, with the article's layers trainable and no others. Imports TensorFlow.

        `shrink` averages squares of so many pixels behind the input: no weight more or less, and a network of small
        receptive field sees more of the retina at once.
        """
        make: Callable[..., keras.Model] = import_module(f"oct_trainer.networks.{self.name}").build
        return make(scaling, shrink)


NETWORKS = {
    network.name: network
    for network in (
        Network("mobilenet", "MobileNet v1 + 3 dense layers", 5_854_916, 2_626_052, 71.27),
        Network("compact", "5-conv CNN", 558_916, 557_636, 94.45),
    )
}
