"""What a Raspberry Pi says of its power and its heat: on a poor supply, or too hot, it runs slower than it could.

Its firmware has a bit for each trouble, one for now and one for the time since the start. The kernel shows them in a
file, for which nobody needs a program, a device or a group (it calls the file deprecated, once, in its log; what it
offers instead knows the voltage only). Where that file is missing, `vcgencmd` is asked, and at last the alarm of the
hardware monitor. Other boards say nothing.
"""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TROUBLES = ("undervoltage", "frequency_capped", "throttled", "soft_temperature_limit")  # bits 0 to 3, and 16 to 19
_SINCE_BOOT = 16
_WORD = "sys/devices/platform/soc*/soc*:firmware/get_throttled"
_ALARM = "sys/class/hwmon/hwmon*/in0_lcrit_alarm"
_MONITOR = "rpi_volt"
_TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
_PATIENCE = 5.0  # seconds


@dataclass(frozen=True)
class Board:
    """The `TROUBLES` that there are, and those that there were, as far as the firmware remembers."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]
    celsius: float | None

    def complaints(self) -> dict[str, str]:
        """What is wrong now, by the code of a degraded reason."""
        found = {}
        if TROUBLES[0] in self.now:
            found["undervoltage"] = "the power supply gives too little"
        if slower := [trouble for trouble in self.now if trouble != TROUBLES[0]]:
            heat = "" if self.celsius is None else f" at {self.celsius:.0f} °C"
            found["throttled"] = f"the board runs slower{heat} ({', '.join(slower)})"
        return found


def read_board(root: Path = Path("/"), program: str = "vcgencmd") -> Board | None:
    """What the board says, None where it is no Raspberry Pi."""
    word = _of_file(root)
    if word is None:
        word = _of_program(program)
    if word is None:
        word = _of_monitor(root)
    if word is None:
        return None
    return Board(_troubles(word), _troubles(word >> _SINCE_BOOT), read_celsius(root))


def read_celsius(root: Path = Path("/")) -> float | None:
    """How hot the processor is, also on other boards, where they say it."""
    with suppress(OSError, ValueError):
        return int((root / _TEMPERATURE).read_text()) / 1000
    return None


def _troubles(word: int) -> tuple[str, ...]:
    return tuple(trouble for bit, trouble in enumerate(TROUBLES) if word >> bit & 1)


def _of_file(root: Path) -> int | None:
    for path in root.glob(_WORD):
        with suppress(OSError, ValueError):
            return int(path.read_text(), 16)
    return None


def _of_program(program: str) -> int | None:
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        command = [program, "get_throttled"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        return int(done.stdout.partition("=")[2], 16)
    return None


def _of_monitor(root: Path) -> int | None:
    for path in root.glob(_ALARM):
        with suppress(OSError, ValueError):
            if path.with_name("name").read_text().strip() == _MONITOR:
                return int(path.read_text())
    return None
