"""The list of bundled models, also of those whose figures have no interval."""

from typing import Any

import pytest

from oct_edge.catalogue import describe, rows, with_interval


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (figure(0.9141, 0.8571, 0.9624), "0.914 (0.857-0.962)"),
        (figure(-0.0078, -0.0234, 0.0), "-0.008 (-0.023 to 0.000)"),
        (figure(0.5), "0.500 (no interval)"),
        (figure(0.5, 0.1), "0.500 (no interval)"),
        (figure(None), "not measured"),
    ],
)
def test_a_figure_is_shown_with_what_is_known_of_it(given: dict[str, Any], shown: str) -> None:
    assert with_interval(given) == shown


def test_a_model_measured_on_too_few_patients_is_listed_all_the_same() -> None:
    entry = next(describe())
    measured = {"val": {"balanced_accuracy": figure(0.75)}, "test": {"balanced_accuracy": figure(None)}}
    _, line, _ = rows([entry | {"metrics": measured}])
    assert "0.750 (no interval)" in line
    assert "not measured" in line
    assert "not measured" in list(rows([entry | {"metrics": {}}]))[1]
