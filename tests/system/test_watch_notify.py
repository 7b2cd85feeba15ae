"""What `oct-edge watch` tells systemd, through a socket that is ours."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytestmark = pytest.mark.system


class Manager:
    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        """What was said since it listened last."""
        new = []
        while True:
            try:
                new.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                self.heard += new
                return new

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["", "\0"], ids=["file", "abstract"])
def manager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    with TemporaryDirectory() as folder:  # a socket's path is short
        address = f"{request.param}{Path(folder, 'notify')}"
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        manager = Manager(address)
        yield manager
        manager.close()


def test_ready_comes_first_then_progress_and_the_end(
    daemon: Any, manager: Manager, distinct: Callable[[int], list[bytes]]
) -> None:
    daemon.put(distinct(2))
    daemon.start(stable=0)
    daemon.until(lambda: len(daemon.printed()) == 2)
    daemon.until(lambda: manager.listen() and "WATCHDOG=1" in manager.heard)
    assert daemon.end(signal.SIGTERM) == 0
    manager.listen()
    assert manager.heard[0] == "READY=1\nSTATUS=0 waiting, 0 answered since the start, 0 of them rejected"
    assert manager.heard[-1] == "STOPPING=1"
    told = [said for said in manager.heard if said.startswith("WATCHDOG=1\nSTATUS=")]
    assert any(said.endswith("0 waiting, 2 answered since the start, 0 of them rejected") for said in told)


def test_nobody_is_told_ready_by_a_model_that_may_not_be_served(daemon: Any, manager: Manager) -> None:
    assert daemon.once("--model", "nothing") == 78
    assert manager.listen() == []


def test_the_watchdog_hears_nothing_while_the_worker_hangs_and_is_fed_when_it_is_replaced(
    daemon: Any, manager: Manager, distinct: Callable[[int], list[bytes]]
) -> None:
    daemon.start(stable=0)
    hanging = daemon.worker()
    os.kill(hanging, signal.SIGSTOP)
    daemon.put(distinct(1))
    daemon.until(lambda: "pending" in daemon.states().values())
    manager.listen()
    assert Path(f"/proc/{hanging}").exists()
    said: list[str] = []
    daemon.until(lambda: said.extend(manager.listen()) or not Path(f"/proc/{hanging}").exists())
    assert said == []
    daemon.until(manager.listen)
    assert daemon.end(signal.SIGTERM) == 0
    assert daemon.answers(daemon.stored(), distinct(1))
