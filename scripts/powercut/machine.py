"""A computer without batteries: qemu, its card, and the hand on the switch.

The processor is emulated, so that every machine runs the same one; nothing of the host's page cache stands between the
guest and the card, which is a `Disk` in this process.
"""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

from powercut.disk import Disk
from powercut.nbd import serve

SILENCE, PATIENCE = 300.0, 1800.0  # seconds without any progress, and in all, on a busy machine
_PORTS = ("console", "acknowledged", "dropped")


class MachineFailed(Exception):
    """The machine ended, or did nothing, when it should have been running."""


@dataclass(frozen=True)
class System:
    """What is booted: a kernel and everything else in memory."""

    kernel: Path
    initrd: Path


class Machine:
    """One power-on. What it says is in files in `folder`, in which whole lines can be read while it runs."""

    def __init__(self, system: System, disk: Disk, folder: Path, **environment: object) -> None:
        self._disk, self._folder = disk, folder
        self._cut_when: Callable[[], bool] = lambda: False
        self._halted = threading.Event()
        for port in _PORTS:
            (folder / port).write_bytes(b"")
        words = ("console=ttyS0", "quiet", "panic=-1", *(f"{key}={value}" for key, value in environment.items()))
        ours, theirs = socket.socketpair()
        with theirs, (folder / "qemu").open("wb") as log:
            command = [*_command(system, theirs.fileno(), folder), "-append", " ".join(words)]
            self._qemu = subprocess.Popen(command, stdin=DEVNULL, stdout=log, stderr=log, pass_fds=[theirs.fileno()])
        self._server = threading.Thread(target=self._serve, args=(ours,))
        self._server.start()

    def lines(self, port: str) -> list[str]:
        """What it said there; a line that was cut off in the middle was never said."""
        return (self._folder / port).read_bytes().decode(errors="replace").replace("\r", "").split("\n")[:-1]

    def answers(self) -> int:
        """How many results were acknowledged since the power-on."""
        return len(self.lines("acknowledged"))

    def touched(self) -> int:
        """How often the card was written to or flushed since the power-on."""
        return self._disk.writes + self._disk.flushes

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it.

        Raises:
            MachineFailed: the machine ended by itself, or went to sleep.
        """
        began = since = time.monotonic()
        seen = self._signs_of_life()
        while not condition():
            if self._qemu.poll() is not None and not condition():
                raise MachineFailed(f"ended by itself: {self._last_words()}")
            if self._signs_of_life() != seen:
                seen, since = self._signs_of_life(), time.monotonic()
            if time.monotonic() > min(since + SILENCE, began + PATIENCE):
                raise MachineFailed(f"was waited for in vain: {self._last_words()}")
            time.sleep(0.05)

    def cut_when(self, condition: Callable[[], bool]) -> None:
        """Take the power away as soon as the card is touched while this is so.

        Raises:
            MachineFailed: as `until`.
        """
        self._cut_when = condition
        self.until(self._halted.is_set)
        self.kill()

    def until_off(self) -> None:
        """Wait until it has finished, and switched itself off.

        Raises:
            MachineFailed: it did not.
        """
        self.until(lambda: self._qemu.poll() is not None)
        if not any(line.startswith("powercut: finished") for line in self.lines("console")):
            raise MachineFailed(f"did not finish: {self._last_words()}")

    def kill(self) -> None:
        """Take the power away, whatever it does. Killing twice is no error."""
        self._qemu.kill()
        self._qemu.wait()
        self._server.join()

    def _signs_of_life(self) -> tuple[int, ...]:
        return (self.touched(), *((self._folder / port).stat().st_size for port in _PORTS))

    def _last_words(self) -> str:
        said = [*self.lines("console")[-3:], (self._folder / "qemu").read_text().strip()]
        return " | ".join(filter(None, said))

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                if serve(client, self._disk, lambda: not self._cut_when()):
                    return
                self._halted.set()
                while client.recv(2**16):  # the machine hears nothing more until it is dead
                    pass
            except (EOFError, ConnectionError):
                return


def _command(system: System, card: int, folder: Path) -> list[str]:
    """A machine with a card, a console, two ports, and no network. The processor `max` is all that qemu can emulate."""
    machine = ("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024")
    bare = ("-nodefaults", "-display", "none", "-no-reboot")
    boot = ("-kernel", str(system.kernel), "-initrd", str(system.initrd))
    block = ("-blockdev", f"driver=nbd,node-name=card,server.type=fd,server.str={card}")
    device = ("-device", "virtio-blk-pci,drive=card,write-cache=on")
    ports = ["-serial", f"file:{folder / _PORTS[0]}", "-device", "virtio-serial-pci"]
    for port in _PORTS[1:]:
        ports += ["-chardev", f"file,id={port},path={folder / port}"]
        ports += ["-device", f"virtserialport,chardev={port},name={port}"]
    return ["qemu-system-x86_64", *machine, *bare, *boot, *block, *device, *ports]
