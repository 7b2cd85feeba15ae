"""Everything works where there is no network at all, and nobody even asks for one."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

COMMAND = Path(sys.executable).parent / "oct-edge"
COMMANDS = [
    ("--version",),
    ("models", "--check"),
    ("classify", "INBOX"),
    ("classify", "INBOX", "--json"),
    ("schema",),
    ("watch", "INBOX", "--output", "OUTPUT", "--stable", "0", "--once"),
    ("status", "--state", "STATE"),
    ("results", "--state", "STATE"),
    ("regrade", "--state", "STATE", "--all", "--dry-run"),
    ("audit", "verify", "--state", "STATE"),
    ("audit", "export", "--state", "STATE"),
    ("audit", "backup", "COPY", "--state", "STATE"),
    ("config", "check"),
    ("config", "show", "--origin"),
    ("service", "print"),
]


@pytest.fixture
def alone(daemon: Any) -> tuple[object, ...]:
    """What to start a command under, so that it has no network and its sockets are told in `folder/trace`."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("needs root and the right to make a network namespace")
    return tuple(map(str, ("unshare", "--net", *daemon.under_strace("-e", "trace=network"))))


def test_every_command_works_without_a_network_and_opens_no_socket_but_a_local_one(
    daemon: Any, samples: list[Path], alone: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"INBOX": daemon.inbox, "OUTPUT": daemon.output, "STATE": daemon.state, "COPY": daemon.folder / "copy"}
    for name, folder in (("SOURCE_INBOX", daemon.inbox), ("OUTPUT_FOLDER", daemon.output)):
        monkeypatch.setenv(f"OCT_EDGE_{name}", str(folder))
    for sample in samples[:3]:
        shutil.copy(sample, daemon.inbox)
    trace = ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0oct-edge-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@oct-edge-{os.getpid()}")
        for command in COMMANDS:
            words = [str(places.get(word, word)) for word in command]
            done = subprocess.run([*alone, COMMAND, *words], capture_output=True, text=True)
            assert done.returncode == 0, (command, done.stderr)
            trace += (daemon.folder / "trace").read_text()
    families = re.findall(r" socket(?:pair)?\((\w+)", trace)
    assert set(families) == {"AF_UNIX"}  # what tells systemd
    assert not re.search(r"sa_family=(?!AF_UNIX)", trace)
