"""What kind of device this is, read from what boards and PCs really say."""

from pathlib import Path

import pytest

from oct_edge.machine import read_machine

PI_5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
    "Serial\t\t: 10000000abcdef01\n",
    "proc/meminfo": "MemTotal:        8245448 kB\nMemFree:         1 kB\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\n',
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
}


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    for name, content in PI_5.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_a_board_says_what_it_is(pi: Path) -> None:
    machine = read_machine(pi)
    assert (machine.device, machine.name()) == ("Raspberry Pi 5 Model B Rev 1.0",) * 2
    assert "(part 0x41/0xd0b)" in machine.processor
    assert (machine.governor, machine.memory_mib) == ("ondemand", 8052)
    assert machine.system == "Debian GNU/Linux 13 (trixie)"


def test_nothing_tells_this_board_from_others_of_its_kind(pi: Path) -> None:
    assert "abcdef01" not in repr(read_machine(pi))


def test_a_device_that_says_nothing_has_a_name_all_the_same(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert (machine.device, machine.governor, machine.memory_mib) == (None, None, None)
    assert machine.name() == machine.processor != ""
    assert 1 <= machine.usable <= (machine.cores or 0)


def test_what_cannot_be_understood_is_as_if_it_were_not_there(pi: Path) -> None:
    (pi / "proc/meminfo").write_text("MemTotal: much\n")
    (pi / "proc/device-tree/model").write_bytes(b"\xff\xfe")
    assert (read_machine(pi).memory_mib, read_machine(pi).device) == (None, None)
