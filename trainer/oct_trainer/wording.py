"""How a message names many things: the first few of them, and how many there are."""

from collections.abc import Sequence

SHOWN = 8


def few(things: Sequence[str]) -> str:
    """`a; b; c`, and after so many as a person reads `and 4 more`."""
    rest = len(things) - SHOWN
    return "; ".join(things[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


def counted(number: int, thing: str) -> str:
    """`1 scan`, `2 scans`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
