"""The chain of events: what breaks it is named, and what cannot break it is found by the digest that was noted."""

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.errors import ChainBroken
from oct_edge.ledger.chain import COLUMNS, GENESIS, Event, Head, verify


def chain(length: int) -> list[tuple]:
    rows, previous = [], GENESIS
    for seq in range(1, length + 1):
        event = Event(seq, "2026-11-23T10:11:12Z", "pending", f"{seq:064x}", "m", f"é{seq}.jpeg", None, previous)
        rows.append(event.row())
        previous = event.hash
    return rows


def test_an_untouched_chain_ends_with_its_last_event() -> None:
    rows = chain(5)
    assert verify(rows) == Head(5, rows[-1][-1])
    assert verify([]) == Head(0, GENESIS)


def test_the_digest_can_be_computed_with_nothing_but_this_sentence() -> None:
    """SHA-256 of the fields without `hash`, as JSON with sorted keys, no spaces and ASCII only."""
    fields = dict(zip(COLUMNS, chain(1)[0], strict=True))
    digest = fields.pop("hash")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode("ascii")).hexdigest() == digest


@given(st.integers(0, 5), st.integers(0, len(COLUMNS) - 1))
def test_any_field_that_is_altered_breaks_the_chain_at_or_right_after_its_event(index: int, column: int) -> None:
    rows = [list(row) for row in chain(6)]
    value = rows[index][column]
    rows[index][column] = value + 1 if isinstance(value, int) else f"{value}x"
    with pytest.raises(ChainBroken, match=rf"event ({index + 1}|{index + 2}) "):
        verify(map(tuple, rows))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda rows: rows.pop(2), "event 3 is missing"),
        (lambda rows: rows.reverse(), "event 1 is missing"),
        (lambda rows: rows.insert(2, rows[1]), "event 3 is missing"),
    ],
)
def test_the_first_event_that_does_not_fit_is_named(damage: Callable[[list], object], named: str) -> None:
    rows = chain(5)
    damage(rows)
    with pytest.raises(ChainBroken, match=named):
        verify(rows)


def test_a_chain_whose_end_was_cut_off_is_found_by_the_digest_that_was_noted() -> None:
    rows = chain(5)
    assert verify(rows, expect=rows[2][-1]).seq == 5
    assert verify(rows, expect=GENESIS).seq == 5
    verify(rows[:3])
    with pytest.raises(ChainBroken, match="cut or written anew"):
        verify(rows[:3], expect=rows[4][-1])
