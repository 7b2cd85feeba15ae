"""What was computed once is found again, by whoever needs it, and never believed when it is damaged."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from oct_edge.errors import OutputUnavailable
from oct_trainer import store
from oct_trainer.store import fetch

DIGESTS = [sha256(bytes([i])).hexdigest() for i in range(40)]
SHAPE = (3,)


class Counting:
    """Computes three numbers from a digest, and remembers for which digests it had to."""

    def __init__(self, digests: list[str]) -> None:
        self.digests = digests
        self.computed: list[str] = []

    def __call__(self, places: list[int]) -> Iterator[np.ndarray]:
        for place in places:
            self.computed.append(self.digests[place])
            yield expected([self.digests[place]])[0]


def expected(digests: list[str]) -> np.ndarray:
    return np.array([[int(digest[i], 16) for i in range(3)] for digest in digests], np.float16)


def fetched(folder: Path, digests: list[str]) -> list[str]:
    """Which of the digests had to be computed; all of them are read and compared."""
    compute = Counting(digests)
    rows = fetch(folder, digests, SHAPE, compute)
    np.testing.assert_array_equal(rows.read(np.arange(len(digests))), expected(digests))
    return compute.computed


def test_what_is_there_is_not_computed_again(tmp_path: Path) -> None:
    assert fetched(tmp_path, DIGESTS) == DIGESTS
    assert fetched(tmp_path, DIGESTS) == []


def test_another_fold_computes_only_what_no_fold_before_had(tmp_path: Path) -> None:
    fetched(tmp_path, DIGESTS[:30])
    assert sorted(fetched(tmp_path, DIGESTS[:10:-1])) == sorted(DIGESTS[30:])
    assert fetched(tmp_path, DIGESTS) == []


def test_rows_are_read_in_any_order_and_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BLOCK", 16)
    rows = fetch(tmp_path, DIGESTS, SHAPE, Counting(DIGESTS))
    assert len(list(tmp_path.iterdir())) == 3
    chosen = np.array([39, 0, 17, 17, 5])
    np.testing.assert_array_equal(rows.read(chosen), expected([DIGESTS[i] for i in chosen]))


def test_the_same_scan_twice_is_computed_once(tmp_path: Path) -> None:
    assert fetched(tmp_path, [DIGESTS[0], DIGESTS[1], DIGESTS[0]]) == DIGESTS[:2]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def empty(content: bytes) -> bytes:
    return content[:0]


@pytest.mark.parametrize("damage", [cut, flip_a_bit, empty])
def test_a_damaged_block_is_computed_again_and_the_others_are_not(
    tmp_path: Path, damage: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    fetched(tmp_path, DIGESTS[:20])
    block = next(tmp_path.iterdir())
    fetched(tmp_path, DIGESTS)
    block.write_bytes(damage(block.read_bytes()))
    assert fetched(tmp_path, DIGESTS) == DIGESTS[:20]
    assert str(block) in capsys.readouterr().err
    assert fetched(tmp_path, DIGESTS) == []


def test_an_interrupted_computation_keeps_the_blocks_that_were_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BLOCK", 16)

    def interrupted(places: list[int]) -> Iterator[np.ndarray]:
        for done, array in enumerate(Counting(DIGESTS)(places)):
            if done == 20:
                raise KeyboardInterrupt
            yield array

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, DIGESTS, SHAPE, interrupted)
    assert fetched(tmp_path, DIGESTS) == DIGESTS[16:]


def test_what_a_killed_process_left_half_written_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".0.npy.partial").write_bytes(b"half")
    fetched(tmp_path, DIGESTS)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


WAITING = """
import sys
from pathlib import Path
import numpy as np
from oct_trainer.store import fetch
print("waiting", flush=True)
def compute(places):
    print("computed", flush=True)
    yield from np.zeros((len(places), 3))
fetch(Path(sys.argv[1]), sys.argv[2:], (3,), compute)
"""


def test_a_second_process_waits_for_the_first_and_computes_nothing(tmp_path: Path) -> None:
    fetched(tmp_path, DIGESTS[:4])
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    command = [sys.executable, "-c", WAITING, str(tmp_path), *DIGESTS[:8]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        assert second.stdout.readline() == "waiting\n"
        other = tmp_path / "other"
        fetched(other, DIGESTS[4:8])
        for block in other.iterdir():
            block.rename(tmp_path / block.name)
        other.rmdir()
        os.close(descriptor)
        assert second.communicate() == ("", None)
        assert second.returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_seen_before_anything_is_computed(small_disk: Path) -> None:
    compute = Counting(DIGESTS)
    with pytest.raises(OutputUnavailable, match="MB are needed") as caught:
        fetch(small_disk, DIGESTS, (100_000,), compute)
    assert "--cache" in caught.value.hint
    assert compute.computed == []


def test_a_disk_that_fills_meanwhile_costs_only_what_did_not_fit(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BLOCK", 16)

    def filling(places: list[int]) -> Iterator[np.ndarray]:
        for done, array in enumerate(Counting(DIGESTS)(places)):
            if done == 20:
                (small_disk / "other").write_bytes(bytes(60 << 10))
            yield array

    with pytest.raises(OutputUnavailable, match="No space left") as caught:
        fetch(small_disk, DIGESTS, SHAPE, filling)
    assert "--cache" in caught.value.hint
    assert {path.suffix for path in small_disk.iterdir()} == {"", ".npy"}
    (small_disk / "other").unlink()
    assert fetched(small_disk, DIGESTS) == DIGESTS[16:]


def test_a_file_in_place_of_the_folder_is_an_unavailable_output(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(OutputUnavailable, match="cache") as caught:
        fetch(tmp_path / "cache", DIGESTS, SHAPE, Counting(DIGESTS))
    assert "--cache" in caught.value.hint
