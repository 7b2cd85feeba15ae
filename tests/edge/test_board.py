"""What a Raspberry Pi says of its power and its heat, wherever it says it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.board import TROUBLES, Board, read_board

PI_4 = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI_5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
NOTHING = "no-such-program"


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str], Path]:
    def put(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return put


@pytest.fixture
def vcgencmd(put: Callable[[str, str], Path]) -> Callable[[str], str]:
    """A program in the place of the real one, with this body."""

    def program(body: str) -> str:
        path = put("bin/vcgencmd", f'#!/bin/sh\n[ "$*" = get_throttled ] || exit 2\n{body}\n')
        path.chmod(0o755)
        return str(path)

    return program


@pytest.mark.parametrize("path", [PI_4, PI_5])
@pytest.mark.parametrize(
    ("word", "now", "since_boot"),
    [
        ("0", (), ()),
        ("1", TROUBLES[:1], ()),
        ("50005", ("undervoltage", "throttled"), ("undervoltage", "throttled")),
        ("e0008", ("soft_temperature_limit",), TROUBLES[1:]),
        ("f000f", TROUBLES, TROUBLES),
        ("80000", (), ("soft_temperature_limit",)),
    ],
)
def test_the_file_of_the_kernel_says_what_is_and_what_was(
    tmp_path: Path, put: Callable, path: str, word: str, now: tuple, since_boot: tuple
) -> None:
    put(path, f"{word}\n")
    assert read_board(tmp_path, NOTHING) == Board(now, since_boot, None)


def test_the_program_is_asked_only_without_the_file(tmp_path: Path, put: Callable, vcgencmd: Callable) -> None:
    program = vcgencmd("echo throttled=0x20002")
    assert read_board(tmp_path, program) == Board(("frequency_capped",), ("frequency_capped",), None)
    put(PI_4, "0\n")
    assert read_board(tmp_path, program) == Board((), (), None)


@pytest.mark.parametrize("body", ["echo VCHI initialization failed", "echo throttled=0x1; exit 255", "echo throttled="])
def test_a_program_that_fails_says_nothing(tmp_path: Path, vcgencmd: Callable, body: str) -> None:
    assert read_board(tmp_path, vcgencmd(body)) is None


@pytest.mark.parametrize(("alarm", "now"), [("1\n", ("undervoltage",)), ("0\n", ())])
def test_the_hardware_monitor_knows_the_voltage_at_least(tmp_path: Path, put: Callable, alarm: str, now: tuple) -> None:
    put("sys/class/hwmon/hwmon0/name", "nvme\n")
    put("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    assert read_board(tmp_path, NOTHING) is None
    put("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert read_board(tmp_path, NOTHING) == Board(now, (), None)


def test_what_cannot_be_understood_is_as_if_it_were_not_there(tmp_path: Path, put: Callable) -> None:
    put(PI_4, "what?\n")
    assert read_board(tmp_path, NOTHING) is None


def test_complaints_are_of_now_and_say_how_hot_it_is(tmp_path: Path, put: Callable) -> None:
    put("sys/class/thermal/thermal_zone0/temp", "84321\n")
    word = put(PI_4, "f0000\n")
    board = read_board(tmp_path, NOTHING)
    assert (board.complaints(), board.celsius) == ({}, 84.321)
    word.write_text("f0007\n")
    assert read_board(tmp_path, NOTHING).complaints() == {
        "undervoltage": "the power supply gives too little",
        "throttled": "the board runs slower at 84 °C (frequency_capped, throttled)",
    }
