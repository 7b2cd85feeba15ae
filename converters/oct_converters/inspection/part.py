"""A part of a card: a function from the card to what there is to say, marked with its title and the entries it shows.

Cards change. A part whose entries are missing is left out, and one that does not know their shape shows them as they
are, so an older or newer card loses nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from oct_converters.inspection.document import Block, Section
from oct_converters.inspection.outline import outline

Card = Mapping[str, Any]
Make = Callable[[Card], Iterator[Block]]
_OTHER_SHAPE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Part:
    """`keys`: the entries of the card that `make` shows."""

    title: str
    keys: tuple[str, ...]
    make: Make

    def section(self, card: Card) -> Section | None:
        """None where the card has nothing for it."""
        owned = {key: card[key] for key in self.keys if key in card}
        if not owned:
            return None
        try:
            blocks = tuple(self.make(card))
        except _OTHER_SHAPE:
            blocks = tuple(outline(owned))
        return Section(self.title, blocks) if blocks else None


def part(title: str, *keys: str) -> Callable[[Make], Part]:
    """Marks a function as the part of this title."""
    return lambda make: Part(title, keys, make)
