"""The disk that forgets, as the machine of `make powercut` has it: in its own hands, and over the protocol."""

import socket
import struct
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from powercut.disk import SECTOR, Disk
from powercut.nbd import serve

pytestmark = pytest.mark.system

SIZE = 16 * SECTOR


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(SIZE))
    return path


writes = st.tuples(st.integers(0, 12), st.integers(1, 4))  # at which sector, and how many
steps = st.lists(st.one_of(st.just("flush"), writes), max_size=20)


@given(steps=steps, seed=st.integers(0, 10))
def test_a_disk_keeps_what_was_flushed_and_of_the_rest_whole_sectors(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "image"
    path.write_bytes(bytes(SIZE))
    possible = [{bytes(SECTOR)} for _ in range(SIZE // SECTOR)]
    with Disk(path) as disk:
        for number, step in enumerate(steps, start=1):
            if step == "flush":
                disk.flush()
                possible = [{disk.read(i * SECTOR, SECTOR)} for i in range(len(possible))]
                continue
            first, count = step
            data = bytes([number]) * SECTOR * count
            disk.write(first * SECTOR, data)
            assert disk.read(first * SECTOR, len(data)) == data
            for i in range(first, first + count):
                possible[i].add(bytes([number]) * SECTOR)
        disk.lose_power(Random(seed))
    left = path.read_bytes()
    for i, versions in enumerate(possible):
        assert left[i * SECTOR : (i + 1) * SECTOR] in versions


def test_every_outcome_for_unflushed_writes_comes_up(image: Path) -> None:
    outcomes = set()
    for seed in range(200):
        image.write_bytes(bytes(SIZE))
        with Disk(image) as disk:
            disk.write(0, b"a" * SECTOR)
            disk.write(SECTOR, b"b" * SECTOR * 2)
            loss = disk.lose_power(Random(seed))
        left = image.read_bytes()
        found = "".join(left[i * SECTOR : i * SECTOR + 1].decode() for i in range(3)).replace("\0", "-")
        assert (loss.unflushed, loss.lost, loss.torn) == (
            2,
            (found[0] == "-") + (found[1:] == "--"),
            found[1:] in ("b-", "-b"),
        )
        outcomes.add(found)
    assert outcomes == {"---", "a--", "-bb", "abb", "-b-", "--b", "ab-", "a-b"}


class Client:
    """As much of the protocol as a kernel would speak."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        stream.settimeout(5)
        assert stream.recv(18, socket.MSG_WAITALL)[:16] == b"NBDMAGICIHAVEOPT"
        stream.sendall(struct.pack(">I", 1))
        assert self.option(8, 0) == [2**31 + 1]  # structured replies are refused
        assert self.option(7, 2) == [3, 1]
        self.size, self.flags = struct.unpack(">2xQH", self.info)

    def option(self, number: int, answers: int) -> list[int]:
        data = struct.pack(">IH", 0, 0) if number == 7 else b""
        self.stream.sendall(b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data)
        kinds = []
        for _ in range(max(1, answers)):
            _, told, kind, length = struct.unpack(">QIII", self.stream.recv(20, socket.MSG_WAITALL))
            assert told == number
            self.info = self.stream.recv(length, socket.MSG_WAITALL) if length else getattr(self, "info", b"")
            kinds.append(kind)
        return kinds

    def ask(self, command: int, offset: int = 0, length: int = 0, data: bytes = b"") -> int:
        self.stream.sendall(struct.pack(">IHHQQI", 0x25609513, 0, command, 7, offset, length) + data)
        magic, error, handle = struct.unpack(">IIQ", self.stream.recv(16, socket.MSG_WAITALL))
        assert (magic, handle) == (0x67446698, 7)
        return error

    def read(self, offset: int, length: int) -> bytes:
        assert self.ask(0, offset, length) == 0
        return self.stream.recv(length, socket.MSG_WAITALL)


def test_a_write_that_was_answered_is_lost_without_a_flush_and_kept_with_one(image: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Disk(image) as disk:
        power = [True] * 3
        server = threading.Thread(target=serve, args=(theirs, disk, lambda: bool(power and power.pop())))
        server.start()
        client = Client(ours)
        assert (client.size, client.flags) == (SIZE, 1 | 4)
        assert client.ask(1, 0, SECTOR, b"a" * SECTOR) == 0
        assert client.ask(3) == 0
        assert client.ask(1, SECTOR, SECTOR, b"b" * SECTOR) == 0
        assert client.read(0, 3 * SECTOR) == b"a" * SECTOR + b"b" * SECTOR + bytes(SECTOR)
        assert client.ask(4, 0, SECTOR) == 22  # no trim
        ours.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.ask(3)  # the power fails, and the flush does nothing
        server.join(5)
        assert image.read_bytes() == b"a" * SECTOR + bytes(SIZE - SECTOR)
        loss = disk.lose_power(Random(0))
        assert (loss.unflushed, disk.writes, disk.flushes) == (1, 2, 1)
