"""The mix of classes in a clinic, as people write it down: CNV=0.1,DME=0.1,DRUSEN=0.1,NORMAL=0.7.

The command's option, the daemon's configuration and the decision itself ask here, so one text means one thing to all.
"""

from collections.abc import Mapping

from oct_edge.labels import LABELS

EXAMPLE = "CNV=0.1,DME=0.1,DRUSEN=0.1,NORMAL=0.7"
WRONG = "give each of the four classes a share above 0, and the shares have to sum to 1"
_SUM = 0.01  # that shares may miss 1 by: they are written down rounded


def parse_prior(text: str) -> dict[str, float]:
    """Shares by name; whether they are a mix is for `is_mix` to say.

    Raises:
        ValueError: it is not spelled like the example, or names a class twice.
    """
    pairs = [part.split("=") for part in text.split(",")]
    shares = {name.strip().upper(): float(share) for name, share in pairs}
    if len(shares) < len(pairs):
        raise ValueError("a class is named twice")
    return shares


def is_mix(shares: Mapping[str, float]) -> bool:
    """Whether it is a share above 0 for each class, that sum to 1."""
    of_all = set(shares) == set(LABELS) and all(share > 0 for share in shares.values())
    return of_all and abs(sum(shares.values()) - 1) <= _SUM


def require_prior(text: str) -> None:
    """Raise a ValueError that says what the text has to do, unless it is a mix of classes."""
    try:
        shares = parse_prior(text)
    except ValueError:
        raise ValueError(f"has to be like {EXAMPLE}") from None
    if not is_mix(shares):
        raise ValueError(f"has to {WRONG}")
