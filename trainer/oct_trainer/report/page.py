"""The page: what it is, the runs side by side, each run, and how to read all of it."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from oct_edge.errors import DataSetError
from oct_edge.files import write_atomically
from oct_edge.labels import DISCLAIMER
from oct_trainer.layout import root_of
from oct_trainer.report.collect import Reported, Skipped, collect
from oct_trainer.report.markup import Markup, join, tag
from oct_trainer.report.overview import overview
from oct_trainer.report.section import section


def write_report(runs: Path, out: Path, data: Path | None = None) -> tuple[Skipped, ...]:
    """Write the page on all finished runs below `runs`; returns what was left out, and why.

    With `data`, the folder or CSV that the runs were trained from, it shows the scans that were answered wrongly.

    Raises:
        RunError: there is no finished run.
        DataSetError: there is no such data.
        OutputUnavailable: the page cannot be written.
    """
    if data and not data.exists():
        raise DataSetError(f"{data}: no such folder or CSV.", hint="Name the --data of the training, or leave it out.")
    reported, skipped = collect(runs)
    content = page(runs.resolve().name, reported, skipped, root_of(data) if data else None)
    write_atomically(out, content.encode("utf-8", "backslashreplace"))
    return tuple(skipped)


def page(title: str, reported: Sequence[Reported], skipped: Sequence[Skipped], data: Path | None) -> str:
    """The whole document; everything that comes from files or names is escaped."""
    here = files("oct_trainer.report")
    return Template((here / "page.html").read_text()).substitute(
        title=join(title),
        style=(here / "style.css").read_text(),
        disclaimer=join(DISCLAIMER[0].upper() + DISCLAIMER[1:] + "."),
        privacy=_privacy(data),
        overview=overview(reported),
        skipped=_left_out(skipped),
        sections=join(*(section(one, data) for one in reported)),
    )


def _privacy(data: Path | None) -> Markup:
    if data is None:
        return tag("p", "No pictures of patients are in this page. File names may name them.", class_="note")
    return tag("p", "This page contains pictures of patients. Keep it where their scans are kept.", class_="warn")


def _left_out(skipped: Sequence[Skipped]) -> Markup:
    if not skipped:
        return Markup()
    lines = [tag("li", tag("code", one.name), " ", one.reason) for one in skipped]
    return join(tag("h3", "Not reported"), tag("ul", *lines, class_="skipped"))
