"""When a file counts as at rest."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.inbox import Signature
from oct_edge.patience import StabilityTracker

DELAY = 2.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 2)), min_size=1))
def test_stable_means_looked_at_over_the_whole_delay_and_never_changed(looks: list[tuple[float, int]]) -> None:
    clock = Clock()
    tracker = StabilityTracker(DELAY, clock)
    since, last = clock.now, None
    for seconds, size in looks:
        clock.wait(seconds)
        since, last = (since, last) if size == last else (clock.now, size)
        assert tracker.is_stable("x", Signature(size, 0, 0)) == (clock.now - since >= DELAY)


@pytest.mark.parametrize("changed", [Signature(2, 1, 1), Signature(1, 0, 1), Signature(1, 2, 1), Signature(1, 1, 2)])
def test_size_mtime_and_inode_each_start_the_wait_anew(changed: Signature) -> None:
    clock = Clock()
    tracker = StabilityTracker(DELAY, clock)
    tracker.is_stable("x", Signature(1, 1, 1))
    clock.wait(DELAY)
    assert not tracker.is_stable("x", changed)
    clock.wait(DELAY)
    assert tracker.is_stable("x", changed)


def test_without_a_delay_a_file_is_stable_at_first_sight() -> None:
    assert StabilityTracker(0, Clock()).is_stable("x", Signature(1, 1, 1))


def test_the_next_look_is_due_when_a_file_may_have_come_to_rest() -> None:
    clock = Clock()
    tracker = StabilityTracker(DELAY, clock)
    assert tracker.rests_in() == math.inf
    tracker.is_stable("x", Signature(1, 1, 1))
    clock.wait(DELAY / 2)
    tracker.is_stable("y", Signature(1, 1, 1))
    assert tracker.rests_in() == pytest.approx(DELAY / 2)
    clock.wait(DELAY)
    assert tracker.is_stable("x", Signature(1, 1, 1))
    assert tracker.rests_in() == math.inf


def test_a_forgotten_file_has_to_wait_again() -> None:
    clock = Clock()
    tracker = StabilityTracker(DELAY, clock)
    tracker.is_stable("x", Signature(1, 1, 1))
    tracker.keep_only(set())
    clock.wait(DELAY)
    assert not tracker.is_stable("x", Signature(1, 1, 1))
