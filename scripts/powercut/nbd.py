"""The network block device protocol, as far as qemu needs it to use a `Disk`: one export, one client, plain replies.

Requests are served one at a time and in order, so a flush covers exactly the writes that were answered before it.
https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

import socket
import struct
from collections.abc import Callable
from enum import IntEnum

from powercut.disk import Disk

_GREETING = b"NBDMAGIC" + b"IHAVEOPT"
_FIXED_NEWSTYLE = 1
_OPTION_REPLY = 0x3E889045565A9
_GO, _ACK, _INFO, _UNSUPPORTED = 7, 1, 3, 2**31 + 1
_HAS_FLAGS, _SEND_FLUSH = 1, 4
_REQUEST, _REPLY = 0x25609513, 0x67446698
_INVALID = 22  # EINVAL


class Command(IntEnum):
    """What a client may ask for; the disk offers no trim, and no write that is its own flush."""

    read = 0
    write = 1
    disconnect = 2
    flush = 3


def serve(client: socket.socket, disk: Disk, power: Callable[[], bool]) -> bool:
    """Serve until the client takes its leave, or until `power` says no; returns whether there was power.

    The power fails when something is written or flushed, and that request is never answered: a write has reached the
    disk's cache by then, a flush has done nothing.

    Raises:
        EOFError: the client went away, in the middle of whatever it was.
    """
    _negotiate(client, disk)
    while True:
        magic, command, handle, offset, length = struct.unpack(">I2xHQQI", _receive(client, 28))
        if magic != _REQUEST:
            raise EOFError(f"no request of the protocol: {magic:x}")
        if command == Command.disconnect:
            return True
        data = _receive(client, length) if command == Command.write else b""
        if command == Command.write:
            disk.write(offset, data)
        if command in (Command.write, Command.flush) and not power():
            return False
        if command == Command.flush:
            disk.flush()
        client.sendall(struct.pack(">IIQ", _REPLY, 0 if command in set(Command) else _INVALID, handle))
        if command == Command.read:
            client.sendall(disk.read(offset, length))


def _negotiate(client: socket.socket, disk: Disk) -> None:
    """Greet, refuse every option but the one that begins, and say how large the disk is."""
    client.sendall(_GREETING + struct.pack(">H", _FIXED_NEWSTYLE))
    _receive(client, 4)
    option = None
    while option != _GO:
        option, length = struct.unpack(">8xII", _receive(client, 16))
        _receive(client, length)
        if option != _GO:
            _answer(client, option, _UNSUPPORTED)
    _answer(client, _GO, _INFO, struct.pack(">HQH", 0, disk.size, _HAS_FLAGS | _SEND_FLUSH))
    _answer(client, _GO, _ACK)


def _answer(client: socket.socket, option: int, kind: int, data: bytes = b"") -> None:
    client.sendall(struct.pack(">QIII", _OPTION_REPLY, option, kind, len(data)) + data)


def _receive(client: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = client.recv(length - len(received))
        if not part:
            raise EOFError("the client went away")
        received += part
    return bytes(received)
