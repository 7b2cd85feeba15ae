"""What there is to say, before it is decided how it looks: sections of text, facts and tables of plain strings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Every row is as long as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError("the rows of a table are not as long as its header")


Block = Text | Bullets | Facts | Table


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]
