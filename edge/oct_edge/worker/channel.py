"""Frames over two pipes: a JSON header and bytes, each with its length in front.

Neither end ever blocks on the other: what is sent waits here until the pipe takes it, and moves on whenever something
is waited for. A reader that hangs can therefore not hang the writer, whatever the size of a scan.
"""

import fcntl
import json
import os
import select
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

_LENGTHS = struct.Struct(">II")
_CHUNK = 1 << 18
_PIPE = 1 << 20  # bytes a pipe should hold: the next scan is then in the child before it asks for it


@dataclass(frozen=True)
class Frame:
    header: Mapping[str, Any]
    data: bytes = b""


class Channel:
    """One end: frames are read from one descriptor and written to another."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._closed = False
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
        with suppress(OSError):  # the system allows less; a frame then takes more than one turn
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE)

    def send(self, header: Mapping[str, Any], data: bytes = b"") -> None:
        """Hand a frame over; it is on its way at the latest when something is waited for.

        Raises:
            EOFError: the other end is gone.
        """
        text = json.dumps(header).encode()
        self._outgoing += _LENGTHS.pack(len(text), len(data)) + text + data
        self._write()

    def flush(self) -> None:
        """Wait until everything is on its way. Raises EOFError as `send`."""
        while self._outgoing:
            select.select([], [self._writer], [])
            self._write()

    def receive(self, timeout: float | None = None) -> Frame:
        """The next frame.

        Raises:
            TimeoutError: it did not come in `timeout` seconds.
            EOFError: the other end is gone.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while (frame := self._parsed()) is None:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            readable, writable, _ = select.select([self._reader], [self._writer] if self._outgoing else [], [], left)
            if readable:
                self._read()
            elif writable:
                self._write()
            elif left == 0.0:
                raise TimeoutError
        return frame

    def close(self) -> None:
        """Closing twice is no error."""
        if not self._closed:
            self._closed = True
            os.close(self._reader)
            os.close(self._writer)

    def _parsed(self) -> Frame | None:
        if len(self._incoming) < _LENGTHS.size:
            return None
        text, data = _LENGTHS.unpack_from(self._incoming)
        middle = _LENGTHS.size + text
        if len(self._incoming) < middle + data:
            return None
        frame = Frame(json.loads(self._incoming[_LENGTHS.size : middle]), bytes(self._incoming[middle : middle + data]))
        del self._incoming[: middle + data]
        return frame

    def _read(self) -> None:
        chunk = os.read(self._reader, _CHUNK)
        if not chunk:
            raise EOFError("the other end is gone")
        self._incoming += chunk

    def _write(self) -> None:
        try:
            while self._outgoing:
                with memoryview(self._outgoing) as view:
                    written = os.write(self._writer, view[:_CHUNK])
                del self._outgoing[:written]
        except BlockingIOError:
            return
        except BrokenPipeError as error:
            raise EOFError("the other end is gone") from error
