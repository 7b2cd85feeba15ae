"""The article's networks, one short file each, and the one table that names them.

Every network takes raw pixels, float32 `[n, 224, 224, 3]` in 0..255: rescaling is its first layer. Its last two layers
are called `logits` (Dense 4) and `scores` (softmax). `embedding` is what it knows of a scan in a few hundred numbers,
the pooled features or, where nothing is pooled, the Dense before the logits. So a converter finds them.

The table needs no TensorFlow: its figures are written down, and a test counts them on the networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

# x/255 as in the article, x/127.5-1 as MobileNet was pre-trained, or minus ImageNet's mean colour as VGG16 was
Scaling = Literal["unit", "symmetric", "caffe"]


@dataclass(frozen=True)
class Network:
    """What is known of a network before it is built.

    `layers` have weights (batch norms not counted); `multiply_adds` are those of convolutions and dense layers for one
    scan; `accuracy` is the article's, in per cent, on its 3,223 images; `shrinks` says whether `build` takes `shrink`.
    """

    name: str
    title: str
    layers: int
    parameters: int
    trainable: int
    multiply_adds: int
    embedding: int
    accuracy: float
    shrinks: bool = True

    def build(self, *, scaling: Scaling = "unit", shrink: int = 1) -> "keras.Model":
        """The untrained network, with the article's layers trainable and no others. Imports TensorFlow.

        `shrink` averages squares of so many pixels behind the input: no weight more or less, and a network of small
        receptive field sees more of the retina at once. The two VGGs see all of it anyway and take no other `shrink`
        than 1: VGG16's first dense layer would have other weights, and the last of seven poolings nothing to pool.
        """
        if shrink > 1 and not self.shrinks:
            raise ValueError(f"{self.name} takes pictures of full size only, not {shrink=}.")
        make: Callable[..., keras.Model] = import_module(f"oct_trainer.networks.{self.name.replace('-', '_')}").build
        return make(scaling, shrink)


NETWORKS = {
    network.name: network
    for network in (
        Network(
            name="mobilenet",
            title="MobileNet v1 + 3 dense layers",
            layers=31,
            parameters=5_854_916,
            trainable=2_626_052,
            multiply_adds=570_339_840,
            embedding=1024,
            accuracy=71.27,
        ),
        Network(
            name="vgg16",
            title="VGG16 + 1 dense layer",
            layers=15,
            parameters=21_138_500,
            trainable=6_423_812,
            multiply_adds=15_353_054_208,
            embedding=256,
            accuracy=87.22,
            shrinks=False,
        ),
        Network(
            name="compact",
            title="5-conv CNN",
            layers=6,
            parameters=558_916,
            trainable=557_636,
            multiply_adds=5_635_769_344,
            embedding=256,
            accuracy=94.45,
        ),
        Network(
            name="custom-vgg",
            title="16-conv CNN",
            layers=17,
            parameters=18_277_700,
            trainable=18_267_204,
            multiply_adds=10_396_829_696,
            embedding=512,
            accuracy=95.94,
            shrinks=False,
        ),
    )
}
