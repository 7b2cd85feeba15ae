"""What an int8 model has to reach, in every runtime that it was run in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from oct_converters.parity.compare import Comparison
from oct_converters.parity.held_out import HeldOut

_SLACK = 1e-9  # the limits themselves pass, whatever floats make of them


@dataclass(frozen=True)
class Gates:
    """The limits are inclusive.

    `max_lost` is a share: of held-out scans for right answers, of CNV and DME among them for being called urgent. A net
    loss of one scan is always within it.
    """

    min_agreement: float = 0.98
    max_lost: float = 0.005
    max_accuracy_drop: float = 0.02
    max_mean_change: float = 0.02
    min_margin: float = 0.02

    def loosened(self) -> list[str]:
        """Those that ask for less than the defaults, as options."""
        least, known = asdict(Gates()), asdict(self)
        looser = {name for name in known if (known[name] < least[name]) == (name == "min_agreement")}
        return [
            f"--{name.replace('_', '-')} {known[name]:g}"
            for name in known
            if name in looser and known[name] != least[name]
        ]


@dataclass(frozen=True)
class Failure:
    """A gate that `reader` did not pass; `value` is None where it could not be computed."""

    gate: str
    reader: str
    value: float | None
    limit: float
    message: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def failures(
    comparisons: Mapping[str, Comparison], held_out: Mapping[str, HeldOut], gates: Gates
) -> tuple[Failure, ...]:
    """All gates that fail, by int8 reader."""
    return tuple(
        failure
        for reader, comparison in comparisons.items()
        for failure in _of_reader(reader, comparison, held_out[reader], gates)
    )


def _of_reader(reader: str, comparison: Comparison, held_out: HeldOut, gates: Gates) -> list[Failure]:
    found = []

    def require(gate: str, value: float, limit: float, excess: float, message: str) -> None:
        if not excess <= _SLACK:  # what is not known is not passed
            known = None if isnan(value) else round(value, 6)
            found.append(Failure(gate, reader, known, limit, f"{gate}: {message} ({reader})"))

    agreement, mean = comparison.agreement, comparison.mean_change
    require(
        "min-agreement",
        agreement,
        gates.min_agreement,
        gates.min_agreement - agreement,
        f"the models agree on {agreement:.4f} of the scans, {gates.min_agreement} needed",
    )
    require(
        "max-mean-change",
        mean,
        gates.max_mean_change,
        mean - gates.max_mean_change,
        f"probabilities change by {mean:.4f} in the mean, {gates.max_mean_change} allowed",
    )
    net, allowed = held_out.lost - held_out.gained, max(1.0, gates.max_lost * held_out.scans)
    require(
        "max-lost",
        net,
        allowed,
        net - allowed,
        f"{held_out.lost} held-out scans are lost, {held_out.gained} gained; a net loss of {int(allowed)} is allowed",
    )
    missed, most = held_out.urgent_lost - held_out.urgent_gained, max(1.0, gates.max_lost * held_out.urgent_scans)
    require(
        "max-lost-urgent",
        missed,
        most,
        missed - most,
        f"{held_out.urgent_lost} held-out CNV or DME are not called urgent any more, {held_out.urgent_gained} are now; "
        f"a net loss of {int(most)} is allowed",
    )
    bound = held_out.drop_bound
    require(
        "max-accuracy-drop",
        bound,
        gates.max_accuracy_drop,
        bound - gates.max_accuracy_drop,
        f"accuracy may drop by up to {bound:.4f} (95 % interval), {gates.max_accuracy_drop} allowed",
    )
    return found
