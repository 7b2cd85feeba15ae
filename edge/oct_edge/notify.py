"""What systemd is told: that the service is ready, what it is doing, and that it gets on (sd_notify).

A ping of the watchdog is sent with progress only, by whoever made some; there is no thread that would go on pinging for
a daemon that hangs. Without systemd nothing is sent.
"""

import os
import socket
from contextlib import suppress

_VARIABLE = "NOTIFY_SOCKET"


class Notifier:
    """Messages to the socket that the service manager named, or to nobody."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address or os.environ.get(_VARIABLE)
        self._status = ""

    def ready(self, status: str) -> None:
        """The service is what its unit says: it serves."""
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def progress(self, status: str) -> None:
        """Something was done: a scan answered, or the folder looked through."""
        changed = f"\nSTATUS={status}" if status != self._status else ""
        self._status = status
        self._send(f"WATCHDOG=1{changed}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        place = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.sendto(message.encode(), place)
