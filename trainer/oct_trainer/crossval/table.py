"""Cross-validations side by side, for people and for machines."""

from itertools import combinations
from typing import Any

from oct_edge.labels import DISCLAIMER, LABELS
from oct_trainer.crossval.records import Method, compare
from oct_trainer.metrics import summarise

SCHEMA = "oct-edge/crossval-table@1"


def tabulate(methods: list[Method]) -> dict[str, Any]:
    """The figures of each method, best balanced accuracy first, and the paired difference of each two."""
    figures = {method.name: _figures(method) for method in methods}
    ranked = sorted(methods, key=lambda m: -figures[m.name]["balanced_accuracy"]["value"])
    differences = [
        {"better": better.name, "worse": worse.name, **paired.to_dict()}
        for better, worse in combinations(ranked, 2)
        if (paired := compare(worse, better))
    ]
    return {
        "schema": SCHEMA,
        "methods": {method.name: figures[method.name] for method in ranked},
        "differences": differences,
        "disclaimer": DISCLAIMER,
    }


def rows(table: dict[str, Any]) -> list[str]:
    """Aligned lines; figures in per cent."""
    methods = table["methods"]
    width = max(len(name) for name in methods)
    lines = [f"{'method':<{width}}  folds  {'accuracy':<18}  {'balanced':<18}  " + "  ".join(LABELS)]
    for name, found in methods.items():
        recalls = "  ".join(f"{100 * found['sensitivity'][n]['value']:{len(n)}.1f}" for n in LABELS)
        folds = f"{found['folds_finished']}/{found['folds']}"
        lines.append(
            f"{name:<{width}}  {folds:>5}  {_interval(found['accuracy']):<18}  "
            f"{_interval(found['balanced_accuracy']):<18}  {recalls}"
        )
    for pair in table["differences"]:
        lines.append(
            f"{pair['better']} over {pair['worse']}: accuracy {_interval(pair['accuracy_difference'], '+')}, "
            f"balanced {_interval(pair['balanced_accuracy_difference'], '+')}, "
            f"McNemar p {pair['mcnemar_p']:.2g} ({pair['scans']} answers)"
        )
    return [*lines, DISCLAIMER]


def _figures(method: Method) -> dict[str, Any]:
    answers = method.answers
    return {
        "folds": method.settings["folds"] * len(method.seeds),
        "folds_finished": sum(len(folds) for folds in method.seeds.values()),
        "seeds": sorted(method.seeds),
        **summarise(answers.labels, answers.predicted, answers.patients),
    }


def _interval(figure: dict[str, float], sign: str = "") -> str:
    value, low, high = (f"{100 * figure[name]:{sign}.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
