"""The scans that a network was most wrong about: those a person should look at first, with a picture where allowed."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from oct_edge.errors import ScanError
from oct_edge.labels import LABELS
from oct_edge.scan import read_scan
from oct_trainer.report.collect import Reported
from oct_trainer.report.markup import Markup, join, tag

MOST = 12
_LARGEST = (360, 240)  # pixels


def most_wrong(one: Reported, data: Path | None) -> Markup:
    """The most confident errors on the shown split; pictures come from `data`, where the very files are there."""
    part = one.predictions[one.shown]
    errors = int(part.wrong.sum())
    if not errors:
        return tag("p", "No scan was answered wrongly.")
    cards = [_card(one, i, data) for i in part.most_wrong(MOST)]
    note = f"Wrong answers shown: {len(cards)} of {errors}, the most confident first."
    return join(tag("p", note, class_="note"), tag("ol", *cards, class_="mistakes"))


def _card(one: Reported, index: int, data: Path | None) -> Markup:
    part = one.predictions[one.shown]
    path = str(part.paths[index])
    truth, answer = LABELS[part.labels[index]], LABELS[part.predicted[index]]
    said = tag("p", "answered ", tag("b", answer), f" ({part.confidence[index]:.0%}), is ", tag("b", truth))
    place = tag("p", path, class_="path")
    return tag("li", _picture(one, path, data) if data else Markup(), said, place)


def _picture(one: Reported, path: str, data: Path) -> Markup:
    source = thumbnail(data / path, next((row["sha256"] for row in one.run.split if row["path"] == path), ""))
    if source is None:
        return tag("div", "not in the data", class_="no-picture")
    return tag("img", src=source, alt="B-scan")


def thumbnail(path: Path, sha256: str) -> str | None:
    """The scan as a small JPEG in a data URI; None where there is no such scan, or another one under its name."""
    try:
        scan = read_scan(path)
    except ScanError:
        return None
    if scan.sha256 != sha256:
        return None
    picture = Image.fromarray(scan.pixels)
    picture.thumbnail(_LARGEST)
    file = BytesIO()
    picture.save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
