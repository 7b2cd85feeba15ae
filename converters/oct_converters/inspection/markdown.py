"""A document as Markdown, the same for the same input."""

import re
from collections.abc import Iterable, Iterator
from functools import singledispatch

from oct_converters.inspection.document import Block, Bullets, Facts, Section, Table, Text
from oct_edge.table import printable


def to_markdown(sections: Iterable[Section], level: int = 2) -> str:
    """The sections under headings of this level."""
    return "\n\n".join(_section(section, level) for section in sections) + "\n"


def escaped(text: str) -> str:
    """The text with everything escaped that Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))", r"\\\1", printable(text))


def _section(section: Section, level: int) -> str:
    blocks = ["\n".join(_lines(block)) for block in section.blocks]
    return "\n\n".join([f"{'#' * level} {escaped(section.title)}", *blocks])


@singledispatch
def _lines(block: Block) -> Iterable[str]:
    raise TypeError(block)


@_lines.register
def _(block: Text) -> Iterable[str]:
    return [escaped(block.text)]


@_lines.register
def _(block: Bullets) -> Iterable[str]:
    return [f"- {escaped(item)}" for item in block.items]


@_lines.register
def _(block: Facts) -> Iterable[str]:
    return [f"- {escaped(name)}: {escaped(value) or '-'}" for name, value in block.entries]


@_lines.register
def _(block: Table) -> Iterator[str]:
    for row in (block.header, ("---",) * len(block.header), *block.rows):
        yield "| " + " | ".join(cell if cell == "---" else escaped(cell) for cell in row) + " |"
