"""How a network is trained: the article's way to the letter, and ours."""

from dataclasses import dataclass, replace
from typing import Literal

from oct_trainer.augment import Augmentation
from oct_trainer.networks import Scaling


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides data, starting weights and seed.

    `scaling` and `shrink` are what the network does to its pixels first; `fine_tune` trains the pre-trained base too,
    after its batch norms were restored; `balance` weighs scans by 1/sqrt(scans of the class) and 1/sqrt(scans of the
    patient); `patience` stops after so many epochs without a better validation loss, and goes back to the best epoch
    (None: every epoch is trained, the last one is taken, and validation chooses nothing); `plateau` is the article's
    ReduceLROnPlateau; `norm_momentum` is that of the batch norms: at Keras' 0.99 their running statistics lag
    500 steps behind, ten epochs of small data; `variants` is how many augmented versions of a scan a frozen base is run
    over, used in turn (None: one for every epoch, so that none is seen twice).
    """

    name: str
    epochs: int
    learning_rate: float
    augmentation: Augmentation
    scaling: Scaling = "unit"
    shrink: int = 1
    optimizer: Literal["adam", "adamw"] = "adam"
    cosine: bool = False
    fine_tune: bool = False
    balance: bool = False
    label_smoothing: float = 0.0
    patience: int | None = 3
    plateau: bool = False
    norm_momentum: float = 0.99
    batch: int = 16
    variants: int | None = None


_PHYSICAL = Augmentation(rotation=10, shift=0.1, zoom=0.15, aspect=0.2, gain=0.25, speckle=0.1, jpeg=40, fill="black")
_TONES = replace(_PHYSICAL, gamma=0.5, black=0.15)  # a pre-trained base knows these

ARTICLE = {
    "mobilenet": Recipe("article", 10, 1e-3, Augmentation(rotation=20, shift=0.2)),
    "vgg16": Recipe("article", 10, 1e-3, Augmentation(rotation=20, shift=0.2)),
    "compact": Recipe("article", 10, 1e-3, Augmentation(rotation=30, shift=0.3), plateau=True),
    "custom-vgg": Recipe("article", 15, 1e-3, Augmentation(rotation=30, shift=0.3), plateau=True),
}

BEST = {
    "mobilenet": Recipe(
        "best",
        10,
        3e-4,
        _PHYSICAL,
        scaling="symmetric",
        optimizer="adamw",
        cosine=True,
        fine_tune=True,
        balance=True,
        label_smoothing=0.05,
        patience=None,
    ),
    "vgg16": Recipe(
        "best",
        15,
        3e-4,
        _PHYSICAL,
        scaling="caffe",
        optimizer="adamw",
        cosine=True,
        balance=True,
        label_smoothing=0.05,
        patience=None,
    ),
    "compact": Recipe(
        "best",
        30,
        2e-3,
        _TONES,
        shrink=4,
        optimizer="adamw",
        cosine=True,
        balance=True,
        label_smoothing=0.05,
        patience=None,
        norm_momentum=0.9,
    ),
}

BEST["custom-vgg"] = replace(BEST["compact"], shrink=1)  # seven poolings see the whole retina anyway

RECIPES = {"best": BEST, "article": ARTICLE}
