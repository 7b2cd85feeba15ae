"""A line for a person who waits: how many, how fast, how long."""

import pytest

from oct_edge.meter import Meter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("total", "done", "seconds", "line"),
    [
        (100, 50, 10, "50 of 100 scans, 5.0 a second, 0:10 left"),
        (1000, 10, 10, "10 of 1000 scans, 1.0 a second, 16:30 left"),
        (10_000, 1, 1, "1 of 10000 scans, 1.0 a second, 2:46:39 left"),
        (3, 3, 1, "3 of 3 scans, 3.0 a second, 0:00 left"),
    ],
)
def test_it_says_how_many_how_fast_and_how_long(
    total: int, done: int, seconds: float, line: str, capsys: pytest.CaptureFixture
) -> None:
    clock = Clock()
    meter = Meter(total, clock)
    for _ in range(done):
        clock.now += seconds / done
        meter.step()
    assert meter.line(clock.now) == line
    meter.close()
    assert capsys.readouterr().err.endswith("\r\x1b[K")


def test_what_is_done_at_once_shows_nothing(capsys: pytest.CaptureFixture) -> None:
    clock = Clock()
    meter = Meter(3, clock)
    for _ in range(3):
        meter.step()
    meter.close()
    assert capsys.readouterr().err == ""


def test_many_steps_are_few_lines(capsys: pytest.CaptureFixture) -> None:
    clock = Clock()
    meter = Meter(1000, clock)
    for _ in range(1000):
        clock.now += 0.001
        meter.step()
    assert capsys.readouterr().err.count("\r") <= 5
