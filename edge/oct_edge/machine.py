"""What kind of device this is, as far as it says: what a measured figure has to stand beside.

Nothing that tells this device from others of its kind is read: no serial number, no name in the network.
"""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DEVICE = "proc/device-tree/model"  # of boards; PCs have none
_PROCESSOR = "proc/cpuinfo"
_MEMORY = "proc/meminfo"
_SYSTEM = "etc/os-release"
_GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
_NAMES = ("model name", "Hardware", "CPU part")


@dataclass(frozen=True)
class Machine:
    """`cores` are those of the device, `usable` those that this process may use; None is what nobody says."""

    device: str | None
    processor: str
    cores: int | None
    usable: int
    governor: str | None
    memory_mib: int | None
    system: str
    kernel: str
    python: str

    def name(self) -> str:
        """The board, or the processor where there is no board to name."""
        return self.device or self.processor


def read_machine(root: Path = Path("/")) -> Machine:
    """This device. Of files that are missing or odd nothing is said."""
    memory = _fields(root / _MEMORY).get("MemTotal", "").split()
    return Machine(
        device=_text(root / _DEVICE).strip("\0\n ") or None,
        processor=_processor(_fields(root / _PROCESSOR)),
        cores=os.cpu_count(),
        usable=len(os.sched_getaffinity(0)),
        governor=_text(root / _GOVERNOR).strip() or None,
        memory_mib=int(memory[0]) // 1024 if memory and memory[0].isdigit() else None,
        system=_fields(root / _SYSTEM, "=").get("PRETTY_NAME", "").strip('"') or platform.system(),
        kernel=f"{platform.release()} {platform.machine()}",
        python=platform.python_version(),
    )


def _processor(fields: Mapping[str, str]) -> str:
    """Its name; ARM's tell only maker and number."""
    found = next((fields[name] for name in _NAMES if name in fields), "")
    if found.startswith("0x"):
        return f"{platform.machine()} (part {fields.get('CPU implementer', '?')}/{found})"
    return found or platform.machine()


def _fields(path: Path, sign: str = ":") -> dict[str, str]:
    """The first value of each name, in a file of `name: value` lines."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(sign)
        found.setdefault(name.strip(), value.strip())
    return found


def _text(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text()
    return ""
