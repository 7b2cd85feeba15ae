"""Hostile bytes end in a scan or a `ScanError`, soon, within little memory, and without a word on a terminal.

Arbitrary bytes by hypothesis, mutations of pictures of every format by `scripts/fuzz`, of which `make fuzz` reads as
many as one likes; what once broke the reader is kept in tests/data/scans and read here for ever.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from fuzz.attempt import read
from fuzz.mutate import mutation
from fuzz.pictures import seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from oct_edge.errors import ScanError
from oct_edge.scan import decode_scan

ROOT = Path(__file__).parents[2]
FUZZ = [sys.executable, str(ROOT / "scripts" / "fuzz" / "run")]
KEPT = sorted((ROOT / "tests" / "data" / "scans").iterdir())

STARTS = (
    *(b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"II*\0", b"MM\0*", b"II+\0"),
    *(bytes(128) + b"DICM", bytes(128) + b"DICM\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"),
)
# What a reader may do to whoever starts it. The mutation of a number is the same for ever: these are numbers 1 to 4.
TROUBLE = """
import os, time
from fuzz.attempt import read as read_scan
from fuzz.mutate import mutation
from fuzz.pictures import seeds

files = seeds()
troubles = {mutation(files, 7, number)[1]: number for number in range(1, 5)}

def read(data):
    number = troubles.get(data)
    if number == 1: raise KeyError("nobody foresaw it")
    if number == 2: os.abort()
    if number == 3: time.sleep(60)
    if number == 4: bytearray(300 * 2**20)
    read_scan(data)
"""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_arbitrary_bytes_end_in_a_scan_or_a_scan_error(capfd: pytest.CaptureFixture) -> None:
    @given(st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary()))
    @settings(max_examples=800, deadline=None)
    def attempt(data: bytes) -> None:
        with suppress(ScanError):
            assert decode_scan(data, "hostile").pixels.ndim == 2

    attempt()
    assert capfd.readouterr() == ("", "")


def test_mutations_of_every_format_end_in_a_scan_or_a_scan_error(tmp_path: Path) -> None:
    done = subprocess.run([*FUZZ, "--count", "2000", "--keep", tmp_path], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"2000 mutations of {len(seeds())} files: 0 broke the reader" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_seed_is_a_file_that_is_read() -> None:
    for name, data in seeds().items():
        read(data)
        assert mutation({name: data}, 1, 1) == mutation({name: data}, 1, 1)


def test_what_breaks_the_reader_is_found_and_kept(tmp_path: Path) -> None:
    (tmp_path / "trouble.py").write_text(TROUBLE)
    options = ["--reader", "trouble:read", "--series", "7", "--count", "6", "--limit", "2", "--keep", tmp_path / "kept"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([*FUZZ, *options], capture_output=True, text=True, timeout=120, env=environment)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    assert done.returncode == 1
    assert "6 mutations" in done.stdout
    assert "4 broke the reader" in done.stdout
    for number, what in enumerate(("raised-KeyError", f"died-{signal.SIGABRT:d}", "hang", "memory"), 1):
        seed, data = mutation(seeds(), 7, number)
        assert [name for name, content in kept.items() if content == data and f"{seed}-{what}-" in name]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_once_broke_the_reader_breaks_it_no_more(path: Path, capfd: pytest.CaptureFixture) -> None:
    with within(20), suppress(ScanError):
        read(path.read_bytes())
    assert capfd.readouterr() == ("", "")
