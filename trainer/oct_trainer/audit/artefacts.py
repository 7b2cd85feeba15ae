"""Does the file give the class away? Image size, JPEG quantization table, pixel mode and file size, class by class.

A class is flagged at a value of an attribute when its share there is twice its base rate, or half of the way from
the base rate to certainty, whichever comes first, and when chance does not explain it: a one-sided hypergeometric
test, p <= 0.001 after Bonferroni over all values and classes looked at. The test counts a patient once, because the
scans of one patient come from one camera and mostly show one disease.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma

import numpy as np

from oct_edge.labels import LABELS
from oct_trainer.audit.inventory import Content, Entry

MIN_SCANS = 10
MAX_P = 0.001

_QUARTERS = ("smallest quarter", "second quarter", "third quarter", "largest quarter")


@dataclass(frozen=True)
class Trait:
    """The scans with one value of one attribute; `label` is the class that chance explains least there.

    `share` is that class's share of these scans, `base_rate` its share of all, `p` after Bonferroni.
    """

    attribute: str
    value: str
    scans: int
    patients: int
    counts: dict[str, int]
    label: str
    share: float
    base_rate: float
    p: float
    flagged: bool


def find_traits(entries: Iterable[Entry]) -> list[Trait]:
    """Every value that ten scans or more have, by attribute and falling number of scans."""
    scans = [(e, e.content) for e in entries if e.content]
    if not scans:
        return []
    groups = list(_groups(scans))
    totals = Counter(e.label for e, _ in scans)
    tests = len(groups) * len(totals)
    return [_trait(attribute, value, those, totals, units, tests) for attribute, value, those, units in groups]


Scan = tuple[Entry, Content]
Units = Counter[tuple[str, str]]  # how many patients there are of each value and class


def _groups(scans: Sequence[Scan]) -> Iterator[tuple[str, str, list[Entry], Units]]:
    for attribute, values in _values([content for _, content in scans]).items():
        pairs = list(zip(values, (e for e, _ in scans), strict=True))
        units = Counter((value, label) for value, label, _ in {(v, e.label, e.patient or e.name) for v, e in pairs})
        for value, count in sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])):
            if count >= MIN_SCANS:
                yield attribute, value, [e for v, e in pairs if v == value], units


def _values(contents: Sequence[Content]) -> Mapping[str, list[str]]:
    sizes = np.array([content.bytes for content in contents])
    quarters = np.searchsorted(np.quantile(sizes, (0.25, 0.5, 0.75)), sizes)
    return {
        "image size": [content.size for content in contents],
        "JPEG table": [content.table for content in contents],
        "pixel mode": [content.mode for content in contents],
        "file size": [_QUARTERS[quarter] for quarter in quarters],
    }


def _trait(
    attribute: str, value: str, those: Sequence[Entry], totals: Mapping[str, int], units: Units, tests: int
) -> Trait:
    counts, total = Counter(e.label for e in those), sum(totals.values())

    def explained(label: str) -> tuple[bool, float, str]:
        """Sorts the classes: a flagged one first, then the one that chance explains least."""
        p = tests * _chance(units, value, label)
        return not (_is_much(counts[label] / len(those), totals[label] / total) and p <= MAX_P), p, label

    is_usual, p, label = min(explained(name) for name in totals)
    return Trait(
        attribute,
        value,
        len(those),
        len({e.patient or e.name for e in those}),
        {name: counts[name] for name in LABELS},
        label,
        round(counts[label] / len(those), 4),
        round(totals[label] / total, 4),
        float(f"{min(p, 1.0):.3g}"),
        not is_usual,
    )


def _is_much(share: float, base_rate: float) -> bool:
    return share > base_rate and share >= min(2 * base_rate, (1 + base_rate) / 2)


def _chance(units: Units, value: str, label: str) -> float:
    drawn = sum(count for (v, _), count in units.items() if v == value)
    of_class = sum(count for (_, name), count in units.items() if name == label)
    return hypergeometric_tail(units[value, label], units.total(), of_class, drawn)


def hypergeometric_tail(hits: int, population: int, successes: int, draws: int) -> float:
    """The probability of `hits` or more successes in `draws` without replacement."""
    total = _log_choose(population, draws)
    lowest = max(hits, 0, draws - (population - successes))
    logs = (
        _log_choose(successes, k) + _log_choose(population - successes, draws - k) - total
        for k in range(lowest, min(draws, successes) + 1)
    )
    return min(1.0, sum(exp(value) for value in logs))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
