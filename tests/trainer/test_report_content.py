"""What comes from files onto the page: names that stay text, and pictures only of the very scans."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from oct_trainer.predictions import Predictions, read_predictions, write_predictions
from oct_trainer.report import write_report
from oct_trainer.report.markup import inline_svg, join, tag

WriteRun = Callable[..., Path]
HOSTILE = "<script>alert(1)</script>&\"'${x}</title><img src=x onerror=y>"


def report(runs: Path, data: Path | None = None) -> str:
    out = runs.parent / "report.html"
    write_report(runs, out, data)
    return out.read_text()


def pictures(page: str) -> list[str]:
    return re.findall(r'\bsrc="data:image/jpeg;base64,([^"]*)', page)


def rename_all(path: Path, name: str) -> None:
    """Call every scan in a file of predictions so."""
    renamed = {
        split: Predictions(np.array([name] * len(part.paths)), part.patients, part.labels, part.probabilities)
        for split, part in read_predictions(path).items()
    }
    write_predictions(path, renamed)


def test_whatever_a_file_or_a_record_is_called_stays_text(
    write_run: WriteRun, clean_phantoms: Path, tmp_path: Path
) -> None:
    record = {"network": HOSTILE, "seed": HOSTILE, "recipe": {"name": HOSTILE, HOSTILE: [HOSTILE]}, "software": HOSTILE}
    runs = tmp_path / "<b>runs"
    run = write_run(runs / "a\nb<i>", clean_phantoms, **record)
    rename_all(run / "predictions.csv", HOSTILE)
    (runs / "<u>broken").mkdir()
    (runs / "<u>broken" / "metrics.json").write_text(json.dumps({"data": {}, "schema": HOSTILE}))
    (runs / "<u>broken" / "split.csv").touch()
    page = report(runs, clean_phantoms)
    assert re.findall(r"<script|<u>|<b>runs|<i>|<img src=x", page) == []
    assert page.count(escape(HOSTILE)) >= 8
    assert page.count("<title>") == page.count("</title>") == 1
    for name in ("<b>runs", "a\\nb<i>", "<u>broken"):
        assert escape(name) in page


def test_pictures_are_shown_only_when_the_data_is_given(runs: Path, clean_phantoms: Path) -> None:
    assert pictures(report(runs)) == []
    page = report(runs, clean_phantoms)
    wrong = int(read_predictions(runs / "compact" / "predictions.csv")["test"].wrong.sum())
    assert len(pictures(page)) == min(wrong, 12) > 0
    with Image.open(BytesIO(base64.b64decode(pictures(page)[0]))) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= 360
    assert "contains pictures of patients" in page


def test_a_scan_that_changed_since_is_not_shown(runs: Path, root: Path) -> None:
    other = sorted((root / "train" / "CNV").iterdir())[0]
    for scan in (root / "test").rglob("*.jpeg"):
        shutil.copy(other, scan)
    page = report(runs, root)
    assert pictures(page) == []
    assert ">not in the data<" in page


def test_a_scan_that_is_damaged_or_gone_is_not_shown(runs: Path, root: Path) -> None:
    for i, scan in enumerate((root / "test").rglob("*.jpeg")):
        scan.unlink() if i % 2 else scan.write_bytes(scan.read_bytes()[:100])
    assert pictures(report(runs, root)) == []


def test_text_becomes_markup_in_one_place_only() -> None:
    assert tag("p", "<b>", tag("b", "&")) == "<p>&lt;b&gt;<b>&amp;</b></p>"
    assert tag("a", href='"><x>', data_label="'") == '<a href="&quot;&gt;&lt;x&gt;" data-label="&#x27;"></a>'
    assert join("a\x1b[2J\u202e", "\udcff") == "a\\x1b[2J\\u202e\\udcff"


def test_a_plot_in_the_page_takes_the_pages_colours_and_width() -> None:
    svg = (
        '<?xml?><!DOCTYPE svg><svg width="10pt" height="9pt" viewBox="0 0 1 1"><metadata>x</metadata>'
        '<g id="a" style="fill: #1c2128; stroke: #c9ced6"/><g clip-path="url(#a)"/></svg>'
    )
    assert inline_svg(svg, "p", "a <label>") == (
        '<svg role="img" aria-label="a &lt;label&gt;" viewBox="0 0 1 1">'
        '<g id="p-a" style="fill: var(--ink); stroke: var(--faint)"/><g clip-path="url(#p-a)"/></svg>'
    )
