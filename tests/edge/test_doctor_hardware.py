"""Camera, Edge TPU, clock, heat and power; devices are files below a root, picamera2 a module in its place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.board import Board
from oct_edge.doctor import hardware
from oct_edge.doctor.finding import Finding, user
from oct_edge.health import HINTS

PRESENT = "libc.so.6"  # a library that every loader finds
ABSENT = "libedgetpu-of-nobody.so.1"
CAMERA = """
class Picamera2:
    @staticmethod
    def global_camera_info():
        {body}
"""


@pytest.fixture
def stick(tmp_path: Path) -> Callable[..., Path]:
    """A USB device of these numbers as the kernel shows it, with its device file if it is to be had."""

    def plug(vendor: str = "1a6e", product: str = "089a", *, openable: bool = True) -> Path:
        folder = tmp_path / "sys/bus/usb/devices/1-1"
        folder.mkdir(parents=True)
        for name, value in (("idVendor", vendor), ("idProduct", product), ("busnum", 1), ("devnum", 4)):
            (folder / name).write_text(f"{value}\n")
        if openable:
            device = tmp_path / "dev/bus/usb/001/004"
            device.parent.mkdir(parents=True)
            device.touch()
        return tmp_path

    return plug


@pytest.fixture
def picamera2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A module of that name that processes find, with this in its function."""

    def write(body: str) -> None:
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "picamera2.py").write_text(CAMERA.format(body=body))
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)

    return write


def test_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    assert hardware.edge_tpu(tmp_path, ABSENT) == Finding("Edge TPU", "ok", "none is there")
    assert hardware.camera(tmp_path).state == "ok"


@pytest.mark.parametrize("numbers", [("1a6e", "089a"), ("18d1", "9302")])
def test_a_stick_is_known_with_and_without_its_firmware(stick: Callable, numbers: tuple[str, str]) -> None:
    found = hardware.edge_tpu(stick(*numbers), PRESENT)
    assert found.state == "ok"
    assert found.text.endswith("dev/bus/usb/001/004; the library is there")


def test_another_stick_is_none(stick: Callable) -> None:
    assert hardware.edge_tpu(stick("1a6e", "0001"), PRESENT).text == "none is there"


def test_an_edge_tpu_that_cannot_be_used_is_told_by_its_cause(stick: Callable) -> None:
    root = stick(openable=False)
    without_library, closed = hardware.edge_tpu(root, ABSENT), hardware.edge_tpu(root, PRESENT)
    assert (without_library.state, closed.state) == ("warn", "warn")
    assert "libedgetpu1-std" in without_library.cure
    assert closed.cure == f"sudo usermod --append --groups plugdev {user()}, and log in again"


def test_the_pcie_module_is_a_device_file(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert "apex_0" in hardware.edge_tpu(tmp_path, PRESENT).text


def test_cameras_are_told_by_name(tmp_path: Path, picamera2: Callable) -> None:
    picamera2("print('[0:01] INFO Camera'); return [{'Model': 'imx708'}, {'Model': 'ov5647'}]")
    assert hardware.camera(tmp_path) == Finding("camera", "ok", "imx708, ov5647")


@pytest.mark.parametrize(
    ("body", "said", "cure"),
    [
        ("return []", "none is found", "check the cable"),
        ("import libcamera_of_nobody", "not the module libcamera_of_nobody that it needs", "python3-libcamera"),
        ("raise RuntimeError('no bridge')", "picamera2 fails (RuntimeError: no bridge)", "full-upgrade"),
        ("import sys; sys.exit(3)", "picamera2 fails (nothing was said)", "full-upgrade"),
    ],
)
def test_a_camera_that_cannot_be_used_is_told_by_its_cause(
    tmp_path: Path, picamera2: Callable, body: str, said: str, cure: str
) -> None:
    picamera2(body)
    found = hardware.camera(tmp_path)
    assert found.state == "warn"
    assert said in found.text
    assert cure in found.cure


def test_a_camera_that_hangs_is_not_waited_for(
    tmp_path: Path, picamera2: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    picamera2("import time; time.sleep(60)")
    monkeypatch.setattr(hardware, "_PATIENCE", 1.0)
    assert hardware.camera(tmp_path) == Finding("camera", "warn", "libcamera gives no answer in 1 s", "sudo reboot")


@pytest.mark.parametrize(("witness", "state"), [(True, "ok"), (False, "warn"), (None, "ok")])
def test_only_a_clock_that_is_known_to_be_wrong_is_doubted(witness: bool | None, state: str) -> None:
    assert hardware.clock(lambda: witness).state == state


@pytest.mark.parametrize(("celsius", "state"), [(None, "ok"), (54.0, "ok"), (79.9, "ok"), (80.0, "warn")])
def test_heat_that_slows_down_is_told(celsius: float | None, state: str) -> None:
    assert hardware.heat(celsius).state == state


@pytest.mark.parametrize(
    ("board", "states", "cures"),
    [
        (None, ["ok"], [""]),
        (Board((), (), 50.0), ["ok"], [""]),
        (Board(("undervoltage", "throttled"), (), 50.0), ["warn", "warn"], [HINTS["undervoltage"], HINTS["throttled"]]),
        (Board((), ("undervoltage",), 50.0), ["warn"], [HINTS["undervoltage"]]),
        (Board((), ("throttled",), 50.0), ["warn"], [HINTS["throttled"]]),
    ],
)
def test_what_holds_the_board_back_is_told_with_its_cure(board: Board | None, states: list, cures: list) -> None:
    found = list(hardware.power(board))
    assert ([finding.state for finding in found], [finding.cure for finding in found]) == (states, cures)
