"""A model card says what its card says, whatever that is, and the committed page is what the cards give."""

import json
from pathlib import Path
from typing import Any

import pytest

from oct_converters.inspection.document import Bullets, Facts, Section, Table, Text
from oct_converters.inspection.markdown import to_markdown
from oct_converters.inspection.model_card import bundled_cards
from oct_converters.inspection.sections import card_sections
from oct_converters.inspection.text import to_text
from oct_edge.bundle import open_bundle
from oct_edge.console import EPILOG
from oct_edge.labels import LABELS
from oct_models import DEFAULT, bundled_models

PAGE = Path(__file__).parents[2] / "docs" / "model-card.md"
Card = dict[str, Any]


@pytest.fixture
def card() -> Card:
    return json.loads(json.dumps(open_bundle(DEFAULT).card))


def figure(value: float | None, low: float | None = None, high: float | None = None) -> Card:
    return {"value": value, "low": low, "high": high}


def titles(card: Card) -> list[str]:
    return [section.title for section in card_sections(card)]


def test_the_page_is_what_the_cards_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == bundled_cards(), "run `make cards`"


@pytest.mark.parametrize("name", bundled_models())
def test_the_page_has_the_figures_of_every_model(name: str) -> None:
    start = f"\n## {name}\n"
    page = PAGE.read_text(encoding="utf-8")
    part = page[page.index(start) + len(start) :].split("\n## ")[0]
    bundle = open_bundle(name)
    assert bundle.sha256 in part
    assert EPILOG in part
    assert bundle.card["intended_use"] in part
    for figures in bundle.card["operating_point"]["measured"].values():
        assert f"{figures['sensitivity']['value']:.3f} ({figures['sensitivity']['low']:.3f}-" in part
    for heading in ("Training and evaluation data", "Metrics", "Decision", "Limits", "Licences and attributions"):
        assert f"\n### {heading}\n" in part


def test_a_section_that_the_card_does_not_have_is_left_out(card: Card) -> None:
    assert "Parity with the float parent" in titles(card)
    del card["parity"]
    assert "Parity with the float parent" not in titles(card)


def test_an_entry_that_nobody_knows_is_shown_last(card: Card) -> None:
    assert "Other entries" not in titles(card)
    card["field_study"] = {"sites": {"a": {"scans": 12, "accuracy": figure(0.75, 0.5, 1.0)}}}
    *_, last = card_sections(card)
    assert last == Section(
        "Other entries",
        (
            Facts(
                (
                    ("field study, sites, a, scans", "12"),
                    ("field study, sites, a, accuracy", "0.750 (0.500-1.000)"),
                )
            ),
        ),
    )


def test_a_new_metric_is_a_row_more(card: Card) -> None:
    for splits in card["metrics"].values():
        splits["test"]["auc"] = {"macro": figure(0.99, 0.98, 1.0), "CNV": figure(None)}
    text = to_text(card_sections(card))
    row = next(line for line in text.splitlines() if line.strip().startswith("auc, macro"))
    assert row.split()[2:] == ["0.990", "(0.980-1.000)"] * 2
    assert "not measured" in next(line for line in text.splitlines() if line.strip().startswith("auc, CNV"))


def test_paired_changes_of_every_runtime_stand_side_by_side(card: Card) -> None:
    alike = {"scans": 816, "agreement": 0.9988, "flips": 1}
    change = figure(-0.0039, -0.0117, 0.0)
    card["parity"] = {
        "gates": {"min_agreement": 0.98, "max_mean_change": 0.02},
        "float32": alike | {"flips": 0},
        "int8": {
            reader: {
                "runtime": runtime,
                "all": alike,
                "held_out": {"lost": 1, "gained": 0, "accuracy_change": change, "sensitivity_change": {"CNV": change}},
            }
            for reader, runtime in (("litert", "litert 2.3.0"), ("litert, builtin", "litert 2.3.0 without XNNPACK"))
        },
        "not_measured": {"tflite": "needs numpy<2"},
        "calibration": {"split": "test", "before": {"as_is": {"ece": figure(0.02, 0.01, 0.04)}}},
    }
    parity = next(section for section in card_sections(card) if section.title.startswith("Parity"))
    _, everything, held_out, calibration, rest = parity.blocks
    assert isinstance(everything, Table)
    assert everything.header[1:] == ("float32 .tflite", "int8, litert 2.3.0", "int8, litert 2.3.0 without XNNPACK")
    assert isinstance(held_out, Table)
    assert held_out.rows[-1] == ("sensitivity change, CNV", *["-0.004 (-0.012 to 0.000)"] * 2)
    assert calibration == Table(("calibration on test", "before, as is"), (("ece", "0.020 (0.010-0.040)"),))
    assert isinstance(rest, Facts)
    assert ("gates", "min agreement 0.98, max mean change 0.02") in rest.entries
    assert ("not measured", "tflite needs numpy<2") in rest.entries


def test_runtimes_of_one_name_hide_nothing(card: Card) -> None:
    reader = {"runtime": "litert 2.3.0", "all": {"flips": 1}, "held_out": {}}
    card["parity"] = {"float32": {}, "int8": {"litert": reader, "builtin": reader | {"all": {"flips": 777}}}}
    assert "777" in to_text(card_sections(card))


def test_the_gate_is_shown_with_its_limits_and_the_quantiles_by_split(card: Card) -> None:
    quantiles = {"0.5": 1.25, "0.99": 3.5}
    limits = {"picture": {"doubtful": 1.5, "foreign": 2.5}, "embedding": {"doubtful": 3.5, "foreign": 4.5}}
    card["gate"] = {
        "pixels": {"min_side": 123},
        "groups": {"training": limits},
        "distance": {"embedding": {"train": quantiles, "test": quantiles}},
    }
    gate = next(section for section in card_sections(card) if section.title == "Gate")
    assert (
        Table(("embedding, quantile", "train", "test"), (("0.5", "1.25", "1.25"), ("0.99", "3.5", "3.5")))
        in gate.blocks
    )
    shown = to_text([gate])
    assert all(figure in shown for figure in ("123", "1.5", "2.5", "3.5", "4.5"))


@pytest.mark.parametrize("odd", [None, 7, "odd", [], ["odd"], [[1]], {}, {"odd": {"deep": [1, {"x": None}]}}], ids=repr)
def test_an_entry_of_unknown_shape_is_shown_as_it_is(card: Card, odd: Any) -> None:
    for key in card:
        sections = list(card_sections(card | {key: odd}))
        assert len(sections) > 8, key
        for rendered in (to_text(sections), to_markdown(sections)):
            assert "odd" in rendered or "odd" not in repr(odd) or key in ("schema", "disclaimer", "tflite"), key


def test_the_limits_name_the_rarest_class(card: Card) -> None:
    card["training"]["scans"]["test"] = dict.fromkeys(LABELS, 40) | {"DME": 8}
    limits = next(section for section in card_sections(card) if section.title == "Limits")
    assert isinstance(limits.blocks[0], Bullets)
    assert any(
        "The rarest class of test is DME, with 8 of 128 scans: one scan moves its sensitivity by 12.5 points." in item
        for item in limits.blocks[0].items
    )


def test_what_a_card_says_can_neither_move_a_cursor_nor_become_markup() -> None:
    evil = "a\x1b[2J|b<img src=x>\n# c"
    sections = [
        Section(evil, (Text(evil), Bullets((evil,)), Facts(((evil, evil),)), Table((evil, "b"), ((evil, ""),))))
    ]
    text, markdown = to_text(sections), to_markdown(sections)
    assert "\x1b" not in text + markdown
    assert all(line.startswith((" ", "a")) for line in text.splitlines() if line)
    assert "\n# c" not in markdown
    assert "<img" not in markdown.replace(r"\<img", "")
    assert {line.replace(r"\|", "").count("|") for line in markdown.splitlines() if line.startswith("|")} == {3}


def test_rows_are_as_long_as_their_header() -> None:
    with pytest.raises(ValueError, match="header"):
        Table(("a", "b"), (("1",),))


@pytest.mark.parametrize("name", bundled_models())
def test_the_parity_report_beside_the_docs_is_that_of_the_bundled_file(name: str) -> None:
    """Its unedited evidence: the same network, and the very figures of the card."""
    report = json.loads((PAGE.parent / "parity" / f"{name}.parity.json").read_text())
    card = open_bundle(name).card
    assert report["passed"] is True
    assert report["tflite_sha256"] == card["tflite"]["sha256"]
    assert {key: report[key] for key in card["parity"]} == card["parity"]
    assert card["tflite"]["sha256"] in (PAGE.parent / "parity" / f"{name}.parity.md").read_text()
