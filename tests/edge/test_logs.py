"""Lines on stderr: what they look like, and how many there are of one kind."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from oct_edge import logs
from oct_edge.config.tree import Log
from oct_edge.errors import SettingsRefused

LOGGER = logging.getLogger("oct_edge.test")


class Place:
    """A log that goes into a text, and seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        self.handler = logs.LimitedHandler(3, 60, lambda: self.now)
        self.handler.setStream(self.stream)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    root, level = logging.getLogger(), logging.getLogger(logs.OURS).level
    root.addHandler(place.handler)
    logs.set_up(Log())
    yield place
    root.removeHandler(place.handler)
    logging.getLogger(logs.OURS).setLevel(level)


def test_a_line_for_people_is_what_it_always_was(place: Place) -> None:
    LOGGER.warning("content %s: %s", "0f3a", "CNV")
    assert place.lines() == ["WARNING oct_edge.test: content 0f3a: CNV"]


def test_a_line_for_machines_is_one_object(place: Place) -> None:
    logs.set_up(Log(format="json"))
    record = LOGGER.makeRecord(
        LOGGER.name, logging.INFO, "", 0, "content %s\n\udcff", ("0f3a",), None, extra={"kind": "CNV"}
    )
    record.created = 1_800_000_000.25
    LOGGER.handle(record)
    assert [json.loads(line) for line in place.lines()] == [
        {
            "time": "2027-01-15T08:00:00.250Z",
            "level": "info",
            "logger": "oct_edge.test",
            "message": "content 0f3a\n\udcff",
            "kind": "CNV",
        }
    ]


def test_a_traceback_stays_within_its_object(place: Place) -> None:
    logs.set_up(Log(format="json"))
    try:
        raise ValueError("x")
    except ValueError:
        LOGGER.exception("failed")
    assert "ValueError: x" in json.loads(place.lines()[0])["exception"]


def test_the_level_may_change_and_other_peoples_lines_never_come_through(place: Place) -> None:
    for level, least in (("debug", 4), ("warning", 2), ("error", 1)):
        logs.set_up(Log(level=level))  # type: ignore[arg-type]
        before = len(place.lines())
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            LOGGER.log(number, level)
        logging.getLogger("watchfiles").warning("Meier_Anna.jpeg")
        assert len(place.lines()) - before == least
    assert "Meier" not in place.stream.getvalue()


def test_after_so_many_lines_of_a_kind_the_rest_is_counted(place: Place) -> None:
    for i in range(10_000):
        LOGGER.info("content %d: %s", i, "damaged_image", extra={"kind": "damaged_image"})
        LOGGER.info("content %d: %s", i, "CNV", extra={"kind": "CNV"})
    assert len(place.lines()) == 6
    place.now = 60
    place.handler.tell_held_back()
    assert place.lines()[6:] == [
        f"INFO oct_edge.test: 9997 more lines like this one were held back: content 3: {kind}"
        for kind in ("damaged_image", "CNV")
    ]


def test_a_new_minute_begins_with_what_was_held_back_in_the_one_before(place: Place) -> None:
    for _ in range(5):
        LOGGER.info("the same")
    place.now = 59.9
    LOGGER.info("another")
    place.now = 60
    LOGGER.info("another")
    assert place.lines()[3:] == [
        "INFO oct_edge.test: another",
        "INFO oct_edge.test: 2 more lines like this one were held back: the same",
        "INFO oct_edge.test: another",
    ]


def test_a_single_line_that_was_held_back_is_the_line(place: Place) -> None:
    for i in range(4):
        LOGGER.info("number %d", i)
    place.handler.tell_held_back(whole_minutes=False)
    assert place.lines() == [f"INFO oct_edge.test: number {i}" for i in range(4)]


def test_lines_of_another_level_or_text_are_of_another_kind(place: Place) -> None:
    for _ in range(3):
        LOGGER.info("full")
    LOGGER.warning("full")
    LOGGER.info("empty")
    assert len(place.lines()) == 5


@pytest.mark.parametrize("storms", [1, 3])
def test_no_line_is_lost_from_the_count(place: Place, storms: int) -> None:
    logs.set_up(Log(format="json"))
    for storm in range(storms):
        place.now = 61.0 * storm
        for i in range(100 + storm):
            LOGGER.warning("storm %d", i)
    place.handler.close()
    objects = [json.loads(line) for line in place.lines()]
    assert len(objects) == 4 * storms
    assert sum(line.get("held_back", 1) for line in objects) == sum(100 + storm for storm in range(storms))


def test_set_up_again_keeps_the_counts_and_adds_no_second_line(place: Place) -> None:
    for _ in range(5):
        LOGGER.info("the same")
        assert logs.set_up(Log()) is place.handler
    assert len(place.lines()) == 3


def test_the_end_is_told_as_an_object_to_machines_and_left_to_the_command_otherwise(place: Place) -> None:
    error = SettingsRefused("file:1: this.", "file:2: that.")
    assert not logs.told(error)
    assert place.lines() == []
    logs.set_up(Log(format="json"))
    assert logs.told(error)
    objects = [json.loads(line) for line in place.lines()]
    assert [line["message"] for line in objects] == ["file:1: this.", "file:2: that."]
    assert {(line["kind"], line["hint"]) for line in objects} == {(error.code, error.hint)}
