"""Lines for spreadsheets (RFC 4180), in which no name is more than a name.

A program that opens them takes a cell for a formula that begins like one, and a scan may be called anything. Such a
cell gets the apostrophe that says text, and what could end a line or hide a character is escaped.
"""

import csv
from collections.abc import Iterable
from io import StringIO

from oct_edge.result import readable
from oct_edge.table import printable

_FORMULA = tuple("=+-@＝＋－＠")


def csv_line(cells: Iterable[object], end: str = "\r\n") -> str:
    """One line; None is an empty cell."""
    line = StringIO()
    csv.writer(line, lineterminator=end).writerow([_plain(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue()


def _plain(text: str) -> str:
    shown = printable(readable(text))
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
