"""What `--weights` says, for each network. No TensorFlow.

    imagenet | none | DIR         for every network
    NAME=imagenet | none | DIR    for one network, which goes before the other, whichever was given first

Text with a `=` is about one network when a network's name stands before it; a folder of such a name is `./NAME=…`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from oct_trainer.networks import NETWORKS

DEFAULT = "imagenet"


@dataclass(frozen=True)
class WeightsOption:
    """`general` is for every network that is not in `named`; a network may be named that is not trained."""

    general: str
    named: dict[str, str]

    def of(self, network: str) -> str:
        return self.named.get(network, self.general)


def parse_weights(values: Sequence[str]) -> WeightsOption:
    """The values of the option, in any order.

    Raises:
        ValueError: a network that does not exist, or two values for the same.
    """
    general: list[str] = []
    named: dict[str, str] = {}
    for value in values:
        name, equals, source = value.partition("=")
        if name in NETWORKS and equals:
            if name in named:
                raise ValueError(f"`{name}` is given twice: {named[name]} and {source}.")
            named[name] = source
        else:
            _require_no_network_meant(value)
            general.append(value)
    if len(general) > 1:
        raise ValueError(
            f"{' and '.join(general)} are for every network. Only one may be: NAME=VALUE is for a single one."
        )
    return WeightsOption(general[0] if general else DEFAULT, named)


def _require_no_network_meant(value: str) -> None:
    """Raise `ValueError` for `vgg19=none`, but not for folders with a `=` in their path."""
    name, equals, _ = value.partition("=")
    if equals and os.sep not in name and not os.path.lexists(value):
        raise ValueError(f"`{name}` is no network ({', '.join(NETWORKS)}), and there is no folder `{value}`.")
