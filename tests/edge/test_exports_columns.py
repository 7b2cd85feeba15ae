"""Results in a spreadsheet: RFC 4180, one line a result whatever a scan is called, and no cell that is a formula."""

import csv
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.exports.columns import COLUMNS, header, line
from oct_edge.labels import LABELS
from oct_edge.result import ModelIdentity, Reason, Referral, Result, Source
from oct_edge.spreadsheet import csv_line

MODEL = ModelIdentity("plain", "m" * 64, "none")
REASONS = (Reason("low_confidence", "Not sure.", "Look."), Reason("second", "Too.", "Look again."))
RESULT = Result(
    "2026-11-23T10:11:12Z",
    Source("scan.jpeg", "a" * 64, 3, "R"),
    "classified",
    MODEL,
    REASONS,
    label="CNV",
    probabilities=dict(zip(LABELS, (0.4, 0.4, 0.0, 0.2), strict=True)),
    referral=Referral("human_review", 0.8, 0.31),
)
LEDGER_PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def cells(result: Result) -> dict[str, str]:
    text = (header() + line(result)).decode()
    (row,) = csv.DictReader(StringIO(text, newline=""), strict=True)
    assert len(text.splitlines()) == 2
    return row


def test_a_line_holds_what_a_person_sorts_by() -> None:
    assert cells(RESULT) == {
        "time": "2026-11-23T10:11:12Z",
        "name": "scan.jpeg",
        "sha256": "a" * 64,
        "frame": "3",
        "laterality": "R",
        "status": "classified",
        "label": "CNV",
        "p_CNV": "0.4",
        "p_DME": "0.4",
        "p_DRUSEN": "0.0",
        "p_NORMAL": "0.2",
        "referral": "human_review",
        "p_urgent": "0.8",
        "threshold": "0.31",
        "reasons": "low_confidence second",
        "model": "plain",
        "model_sha256": "m" * 64,
    }


def test_cells_of_a_label_are_empty_where_there_is_none() -> None:
    row = cells(Result("2026-11-23T10:11:12Z", Source("scan.jpeg", "a" * 64), "ungradable", MODEL, REASONS[1:]))
    assert [name for name, cell in row.items() if not cell] == [
        *("frame", "laterality", "label", *(f"p_{label}" for label in LABELS), "referral", "p_urgent", "threshold")
    ]


def test_lines_end_as_rfc_4180_wants_it_and_quotes_are_doubled() -> None:
    assert header().endswith(b",model_sha256\r\n")
    assert csv_line(["a,b", 'say "x"', "", None, 0.5, "plain"]) == '"a,b","say ""x""",,,0.5,plain\r\n'


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-rf", "@SUM(A1)", "  =1", "\u00a0=1", "＝1", "＠x", '=cmd|" /C calc"!A0']
)
def test_no_name_is_a_formula(name: str) -> None:
    assert not re.match(r"\s*[=+\-@＝＋－＠]", csv.reader([csv_line([name])]).__next__()[0])


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1.jpeg", "'=1.jpeg"),
        ("a=1-2@x.jpeg", "a=1-2@x.jpeg"),
        ("two\r\nlines.jpeg", r"two\r\nlines.jpeg"),
        ("\t=1.jpeg", r"\t=1.jpeg"),
        ("\udcff.jpeg", r"\udcff.jpeg"),
        ("é👁.jpeg", "é👁.jpeg"),
        ("\u202egpj.jpeg", r"\u202egpj.jpeg"),
        ("\0.jpeg", r"\x00.jpeg"),
    ],
)
def test_a_name_is_shown_as_far_as_it_can_do_no_harm(name: str, cell: str) -> None:
    assert cells(replace(RESULT, source=Source(name, "a" * 64)))["name"] == cell


@given(st.text())
def test_any_name_is_one_line_that_reads_back_as_the_same_number_of_cells(name: str) -> None:
    encoded = line(replace(RESULT, source=Source(name, "a" * 64)))
    assert encoded.count(b"\n") == encoded.count(b"\r") == 1
    assert b"\0" not in encoded
    assert len(cells(replace(RESULT, source=Source(name, "a" * 64)))) == len(COLUMNS)


def test_a_line_that_is_made_again_from_the_ledger_is_the_same_line() -> None:
    for name in ("\udcff\n=.jpeg", "👁.jpeg"):
        result = replace(RESULT, source=Source(name, "a" * 64))
        assert line(Result.from_json(result.to_json())) == line(result)


def test_the_page_on_operating_describes_every_column_in_their_order() -> None:
    section = LEDGER_PAGE.read_text().split("### Columns of the CSV")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) +\|", section, re.MULTILINE)
    assert tuple(re.findall(r"`([^`]+)`", " ".join(rows))) == COLUMNS
