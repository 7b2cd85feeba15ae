"""Camera, Edge TPU, clock, heat and power: what the device has, and what is wrong with it.

A camera or an Edge TPU that is not there is no fault, since nothing needs it; one that is there and cannot be used is.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from oct_edge.board import Board, read_board, read_celsius
from oct_edge.clock import synchronised
from oct_edge.doctor.finding import Finding, user
from oct_edge.health import HINTS

LIBRARY = "libedgetpu.so.1"
HOT = 80.0  # °C; a Raspberry Pi slows down from here on
_USB = {("1a6e", "089a"), ("18d1", "9302")}  # before it got its firmware, and after
_CAMERAS = (
    "import json; from picamera2 import Picamera2;"
    "print(json.dumps([str(camera.get('Model')) for camera in Picamera2.global_camera_info()]))"
)
_PATIENCE = 30.0  # seconds


def camera(root: Path = Path("/")) -> Finding:
    """Asked for in a process of its own: libcamera writes to the terminal, and may hang."""
    try:
        done = subprocess.run([sys.executable, "-c", _CAMERAS], capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return Finding("camera", "warn", f"libcamera gives no answer in {_PATIENCE:.0f} s", "sudo reboot")
    missing = re.search(r"No module named '(\w+)", done.stderr)
    if missing and missing[1] == "picamera2":
        return Finding("camera", "ok", "none is used: picamera2 is not installed")
    if missing:
        return Finding(
            "camera",
            "warn",
            f"picamera2 is installed, but not the module {missing[1]} that it needs",
            "sudo apt install python3-libcamera, and an environment that was made with --system-site-packages",
        )
    with suppress(ValueError, IndexError):
        if names := json.loads(done.stdout.splitlines()[-1]):
            return Finding("camera", "ok", ", ".join(names))
        if closed := _closed(root.glob("dev/media*")):
            return Finding("camera", "warn", f"{closed} may not be opened by this user", _join("video"))
        return Finding("camera", "warn", "none is found", "check the cable, then rpicam-hello --list-cameras")
    said = done.stderr.strip().splitlines() or ["nothing was said"]
    return Finding("camera", "warn", f"picamera2 fails ({said[-1][:120]})", "sudo apt full-upgrade")


def edge_tpu(root: Path = Path("/"), library: str = LIBRARY) -> Finding:
    """The stick, the PCIe module, the library, and whether this user may open them."""
    devices = [*_sticks(root), *sorted(root.glob("dev/apex_*"))]
    if not devices:
        return Finding("Edge TPU", "ok", "none is there")
    try:
        ctypes.CDLL(library)
    except OSError:
        return Finding(
            "Edge TPU",
            "warn",
            f"one is there, but not the library {library}",
            "sudo apt install libedgetpu1-std, from https://packages.cloud.google.com/apt coral-edgetpu-stable main",
        )
    if closed := _closed(devices):
        return Finding("Edge TPU", "warn", f"{closed} may not be opened by this user", _join("plugdev"))
    return Finding("Edge TPU", "ok", f"{', '.join(map(str, devices))}; the library is there")


def clock(witness: Callable[[], bool | None] = synchronised) -> Finding:
    """Whether the times in results are to be relied on."""
    is_set = witness()
    if is_set is False:
        text = "it was not set since the device was started"
        return Finding("clock", "warn", text, "sudo timedatectl set-ntp true")
    return Finding("clock", "ok", "it was set" if is_set else "nobody can tell whether it was set")


def heat(celsius: float | None) -> Finding:
    """How hot the processor is."""
    if celsius is None:
        return Finding("temperature", "ok", "nobody says")
    if celsius >= HOT:
        return Finding("temperature", "warn", f"{celsius:.0f} °C: it slows down", "give it a heat sink or a fan")
    return Finding("temperature", "ok", f"{celsius:.0f} °C")


def power(board: Board | None) -> Iterator[Finding]:
    """What holds the board back, or did since its start."""
    if board is None:
        yield Finding("throttling", "ok", "no Raspberry Pi that would say so")
        return
    complaints = board.complaints()
    yield from (Finding("throttling", "warn", text, HINTS[code]) for code, text in complaints.items())
    if complaints:
        return
    if board.since_boot:
        cure = HINTS["undervoltage" if "undervoltage" in board.since_boot else "throttled"]
        yield Finding("throttling", "warn", f"not now, but since the start: {', '.join(board.since_boot)}", cure)
    else:
        yield Finding("throttling", "ok", "never since the start")


def hardware(root: Path = Path("/")) -> Iterator[Finding]:
    """All of it."""
    yield camera(root)
    yield edge_tpu(root)
    yield clock()
    yield heat(read_celsius(root))
    yield from power(read_board(root))


def _sticks(root: Path) -> Iterator[Path]:
    """The device file of each USB Accelerator."""
    for found in sorted(root.glob("sys/bus/usb/devices/*/idVendor")):
        with suppress(OSError, ValueError):
            texts = ("idVendor", "idProduct", "busnum", "devnum")
            vendor, product, bus, device = (found.with_name(name).read_text().strip() for name in texts)
            if (vendor, product) in _USB:
                yield root / f"dev/bus/usb/{int(bus):03}/{int(device):03}"


def _closed(devices: Iterator[Path] | list[Path]) -> Path | None:
    return next((device for device in devices if not os.access(device, os.R_OK | os.W_OK)), None)


def _join(group: str) -> str:
    return f"sudo usermod --append --groups {group} {user()}, and log in again"
