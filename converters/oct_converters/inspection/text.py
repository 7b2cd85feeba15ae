"""A document for a terminal: aligned columns, and nothing in it that could move a cursor."""

from collections.abc import Iterable, Iterator
from functools import singledispatch
from textwrap import wrap

from oct_converters.inspection.document import Block, Bullets, Facts, Section, Table, Text
from oct_edge.table import printable

_WIDTH = 100
_INDENT = "  "


def to_text(sections: Iterable[Section]) -> str:
    """The sections, an empty line between two."""
    return "\n\n".join("\n".join(_section(section)) for section in sections)


def _section(section: Section) -> Iterator[str]:
    yield printable(section.title)
    for number, block in enumerate(section.blocks):
        if number:
            yield ""
        yield from (f"{_INDENT}{line}".rstrip() for line in _lines(block))


@singledispatch
def _lines(block: Block) -> Iterable[str]:
    raise TypeError(block)


@_lines.register
def _(block: Text) -> Iterable[str]:
    return wrap(printable(block.text), _WIDTH)


@_lines.register
def _(block: Bullets) -> Iterable[str]:
    for item in block.items:
        yield from wrap(printable(item), _WIDTH, initial_indent="- ", subsequent_indent="  ")


@_lines.register
def _(block: Facts) -> Iterable[str]:
    width = max((len(printable(name)) for name, _ in block.entries), default=0)
    for name, value in block.entries:
        yield from wrap(
            f"{printable(name):<{width}}  {printable(value) or '-'}",
            max(_WIDTH, width + 40),
            subsequent_indent=" " * (width + 2),
            drop_whitespace=True,
            break_on_hyphens=False,
        )


@_lines.register
def _(block: Table) -> Iterable[str]:
    grid = [[printable(cell) for cell in row] for row in (block.header, *block.rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    right = [_numbers(column[1:]) for column in zip(*grid, strict=True)]
    for row in grid:
        cells = zip(row, widths, right, strict=True)
        yield "  ".join(f"{cell:>{width}}" if number else f"{cell:<{width}}" for cell, width, number in cells)


def _numbers(cells: Iterable[str]) -> bool:
    """They are read from their last digit: bare numbers, or figures with a unit."""
    found = [cell for cell in cells if cell]
    return bool(found) and all(cell.lstrip("+-")[:1].isdigit() and "x" not in cell for cell in found)
