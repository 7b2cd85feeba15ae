"""Plots as SVG: the same for the same figures, readable as text, and drawn also where there is little to draw."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from oct_edge.classifier import softmax
from oct_edge.labels import LABELS
from oct_trainer.plots import draw_history, draw_predictions, on_white
from oct_trainer.predictions import Predictions, figures

SVG = "{http://www.w3.org/2000/svg}"


def answers(labels: np.ndarray, skill: float = 2.0) -> Predictions:
    logits = np.random.default_rng(0).normal(0, 1, (len(labels), 4)) + skill * np.eye(4)[labels]
    names = np.arange(len(labels)).astype(str)
    return Predictions(names, names, labels, softmax(logits))


def drawn(labels: np.ndarray, skill: float = 2.0) -> dict[str, str]:
    part = answers(labels, skill)
    return draw_predictions(part, figures(part, 1.5, in_sample=False))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_same_figures_give_the_same_bytes() -> None:
    labels = np.arange(60) % 4
    assert drawn(labels) == drawn(labels)
    history = {"loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "accuracy": [0.4, 0.8], "val_accuracy": [0.3, 0.7]}
    assert draw_history(history) == draw_history(history)
    assert not any("dc:date" in svg for svg in drawn(labels).values())


def test_text_is_text() -> None:
    found = drawn(np.arange(60) % 4)
    assert set(LABELS) <= set(texts(found["confusion"]))
    assert any("urgent" in text for text in texts(found["roc"]))
    assert any("1.50" in text for text in texts(found["reliability"]))
    assert "errors among them" in texts(found["risk-coverage"])


def test_counts_stand_in_their_cells() -> None:
    shown = texts(drawn(np.repeat(np.arange(4), (7, 11, 13, 17)), skill=50.0)["confusion"])
    assert shown.count("0") == 12
    assert {"7", "11", "13", "17"} <= set(shown)
    assert shown.count("100%") == 4


@pytest.mark.parametrize(
    "labels",
    [np.zeros(1, int), np.zeros(9, int), np.arange(12) % 2, np.arange(500) % 4],
    ids=["one scan", "one class", "two classes", "hundreds"],
)
@pytest.mark.parametrize("skill", [-50.0, 0.0, 50.0], ids=["all wrong", "by chance", "all right"])
def test_every_plot_is_drawn_from_whatever_there_is(labels: np.ndarray, skill: float) -> None:
    for svg in drawn(labels, skill).values():
        assert ElementTree.fromstring(svg).tag == f"{SVG}svg"
        assert len(svg) < 200_000


@pytest.mark.parametrize(
    "history",
    [
        {},
        {"loss": [1.0]},
        {"loss": [np.nan, np.nan], "val_loss": [np.nan, np.nan]},
        {"loss": [1.0, 0.5], "val_loss": [np.nan, 0.7], "learning_rate": [1e-3, 1e-3]},
    ],
)
def test_a_history_is_drawn_as_far_as_it_goes(history: dict[str, list[float]]) -> None:
    found = draw_history(history)
    assert list(found) == ["loss", "accuracy"]
    for name, svg in found.items():
        assert name in texts(svg)


def test_the_epoch_of_the_least_validation_loss_is_marked() -> None:
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
    assert "least validation loss" in texts(draw_history(history)["loss"])
    assert "least validation loss" not in texts(draw_history({"loss": [1.0]})["loss"])


def test_a_plot_on_its_own_has_a_background() -> None:
    svg = drawn(np.arange(8) % 4)["roc"]
    assert on_white(svg).count("<rect ") == svg.count("<rect ") + 1
    assert ElementTree.fromstring(on_white(svg)).tag == f"{SVG}svg"


def test_drawing_leaves_no_global_state_behind() -> None:
    script = (
        "import sys, matplotlib as mpl\n"
        "settings = lambda: {key: mpl.rcParams[key] for key in mpl.rcParams if key != 'backend'}\n"
        "before = settings()\n"
        "from oct_trainer.plots import draw_history\n"
        "draw_history({'loss': [1.0]})\n"
        "assert settings() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
