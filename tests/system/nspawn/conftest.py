"""A machine of Debian trixie with a systemd of its own, and the project's wheel in /opt/oct-edge.

It is a container, booted in a second; `oct-edge service install` puts the very unit into it that a board gets. What a
machine changed is kept while it is off, so that it can be booted again.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts" / "nspawn"
UNABLE = 69
OCT_EDGE = "/opt/oct-edge/bin/oct-edge"
DATA = "/var/lib/oct-edge"
PATIENCE = 90  # seconds; the machine that runs this may be busy
_NUMBERS = count()


class Machine:
    """Commands run in it as root; `path` is one of its files as this machine sees it."""

    def __init__(self, folder: Path, layers: str) -> None:
        self.folder, self._layers = folder, layers
        self._name = f"oct-edge-{os.getpid()}-{next(_NUMBERS)}"
        self._process: subprocess.Popen | None = None
        self._leader: int | None = None  # its first process, as this machine numbers it

    def boot(self) -> None:
        """Switch it on, and wait until it has started all that it starts."""
        command = ["setpriv", "--pdeathsig", "KILL", SCRIPTS / "boot", self._name, self.folder, self._layers]
        with (self.folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        self.until(self._has_begun)
        self.until(lambda: self.run("systemctl", "is-system-running", "--wait", check=False).stdout == "running\n")

    def power_off(self) -> None:
        """As its switch does: what runs is stopped before."""
        self.run("systemctl", "poweroff")
        assert self._process.wait(PATIENCE) == 0
        self._leader = None

    def cut_power(self) -> None:
        """As a plug that is pulled: nothing in it does anything any more."""
        if self._leader is not None:
            os.kill(self._leader, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._leader = None

    def run(self, *command: object, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        enter = ("nsenter", "-t", self._leader, "-m", "-p", "-u", "-i", "-n", "-C")
        words = [str(word) for word in (*enter, *command)]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=PATIENCE)
        assert not check or done.returncode == 0, f"{shlex.join(words[9:])}: {done.stdout}{done.stderr}"
        return done

    def run_as(self, user: str, *command: object) -> subprocess.CompletedProcess[str]:
        """As somebody who has logged in."""
        return self.run("runuser", "-u", user, "--", *command, check=False)

    def path(self, inside: str) -> Path:
        return Path(f"/proc/{self._leader}/root{inside}")

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.05)

    def override(self, *lines: str) -> None:
        """Lines of a drop-in of the administrator's own, for the service."""
        folder = self.path("/etc/systemd/system/oct-edge.service.d")
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text("\n".join(lines))
        self.run("systemctl", "daemon-reload")

    def configure(self, was: str, written: str) -> None:
        """Change the configuration."""
        path = self.path("/etc/oct-edge/oct-edge.toml")
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, written))

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.run("systemctl", "show", "--property", name, "--value", "oct-edge").stdout.strip()

    def is_up(self) -> bool:
        return self.show("ActiveState") == "active"

    def pid(self) -> int:
        """The daemon, as the machine numbers it; 0 where there is none."""
        return int(self.show("MainPID"))

    def children(self, pid: int) -> list[int]:
        return [int(child) for child in self.run("pgrep", "--parent", pid, check=False).stdout.split()]

    def worker(self) -> int:
        return self.children(self.pid())[0]

    def signal(self, name: str, pid: int) -> None:
        self.run("kill", f"-{name}", pid)

    def journal(self) -> str:
        """What the service and systemd wrote about it, over all boots."""
        return self.run("journalctl", "--unit", "oct-edge", "--output", "short-monotonic", check=False).stdout

    def put(self, name: str, content: bytes) -> None:
        """A scan that comes to rest in the inbox."""
        self.path(f"{DATA}/inbox/{name}").write_bytes(content)

    def put_all(self, contents: Iterable[bytes]) -> None:
        for i, content in enumerate(contents):
            self.put(f"{i}.jpeg", content)

    def results(self) -> list[Path]:
        return list(self.path(f"{DATA}/results").glob("[!.]*.json"))

    def answers(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in self.results()]

    def states(self) -> Counter[str]:
        """How many contents are in which state, in a ledger whose chain is whole."""
        self.run(OCT_EDGE, "audit", "verify")
        return Counter(json.loads(self.run(OCT_EDGE, "status", "--json").stdout)["states"])

    def _said(self) -> str:
        return (self._leader and self.journal()) or (self.folder / "console").read_text()

    def _has_begun(self) -> bool:
        """Whether the container that `boot` starts has a first process."""
        assert self._process.poll() is None
        with suppress(OSError):  # one that has ended meanwhile
            for child in _children(self._process.pid):
                for pid in _children(child):
                    if re.search(r"^NSpid:.*\t1$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
                        self._leader = pid
        return self._leader is not None


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="session")
def layers() -> str:
    """All that the machines have in common."""
    command = [SCRIPTS / "build"]
    done = subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
    if done.returncode == UNABLE:
        pytest.skip(done.stderr.strip().replace("\n", ";"))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path, layers: str) -> Iterator[Machine]:
    """It is on, and the service is not installed."""
    machine = Machine(tmp_path, layers)
    try:
        machine.boot()
        yield machine
    finally:
        machine.cut_power()


@pytest.fixture
def serving(machine: Machine) -> Machine:
    """The service is installed and runs."""
    machine.run(OCT_EDGE, "service", "install", "--now")
    return machine
