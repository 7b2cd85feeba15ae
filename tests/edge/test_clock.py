"""Whether the time of day is to be relied on: who says that it was set, and that it jumped."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oct_edge.clock import JUMP, SETTLING, Clock, ask_kernel, synchronised


class Times:
    """Two clocks that go together until one of them is moved."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def clock(times: Times) -> Clock:
    return Clock(lambda: True, lambda: times.wall, lambda: times.steady)


@pytest.mark.parametrize("kernel", [True, False, None])
def test_the_file_of_timesyncd_is_enough(tmp_path: Path, kernel: bool | None) -> None:
    folder = tmp_path / "run/systemd/timesync"
    folder.mkdir(parents=True)
    assert synchronised(tmp_path, lambda: kernel) is (kernel or False)
    (folder / "synchronized").touch()
    assert synchronised(tmp_path, lambda: kernel) is True


@pytest.mark.parametrize("kernel", [True, False, None])
def test_without_timesyncd_only_the_kernel_is_asked_and_nobody_guesses(tmp_path: Path, kernel: bool | None) -> None:
    assert synchronised(tmp_path, lambda: kernel) is kernel


def test_the_kernel_answers_and_its_clock_is_left_alone() -> None:
    libc = ctypes.CDLL(None)
    before = ctypes.create_string_buffer(512)
    state = libc.adjtimex(before)
    assert ask_kernel() is (state != 5)
    after = ctypes.create_string_buffer(512)
    assert libc.adjtimex(after) == state
    assert before.raw[40:56] == after.raw[40:56]  # status and time constant


ASK = "from oct_edge.clock import ask_kernel; print(ask_kernel())"


@pytest.mark.system
@pytest.mark.parametrize(
    ("answer", "told"), [("retval=0", "True"), ("retval=5", "False"), ("error=EPERM", "None"), ("error=ENOSYS", "None")]
)
def test_what_the_kernel_says_or_refuses_to_say(answer: str, told: str) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    calls = "adjtimex,clock_adjtime"
    command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{answer}"]
    done = subprocess.run([*command, sys.executable, "-c", ASK], capture_output=True, text=True)
    assert done.stdout.strip() == told, done.stderr


def test_a_clock_that_was_never_set_is_doubted_until_it_is(times: Times) -> None:
    answers = iter([False, False, True, None])
    clock = Clock(lambda: next(answers), lambda: times.wall, lambda: times.steady)
    assert "not set" in str(clock.doubt())
    assert "not set" in str(clock.doubt())
    assert clock.doubt() is None
    assert clock.doubt() is None


@pytest.mark.parametrize("jump", [-86_400, 31_536_000, 2 * JUMP, -2 * JUMP])
def test_a_jump_is_doubted_for_a_while(times: Times, clock: Clock, jump: float) -> None:
    times.pass_by(1000)
    assert clock.doubt() is None
    times.wall += jump
    assert clock.doubt() == f"the clock jumped by {jump:+.0f} s"
    times.pass_by(SETTLING - 1)
    assert clock.doubt() is not None
    times.pass_by(1)
    assert clock.doubt() is None


def test_a_jump_that_is_taken_back_is_another_jump(times: Times, clock: Clock) -> None:
    times.wall += 3600
    clock.doubt()
    times.pass_by(SETTLING - 1)
    times.wall -= 3600
    assert clock.doubt() == "the clock jumped by -3600 s"
    times.pass_by(2)
    assert clock.doubt() is not None


def test_a_leap_second_and_a_long_sleep_are_no_jump(times: Times, clock: Clock) -> None:
    times.wall += 1
    times.pass_by(86_400 * 30)
    assert clock.doubt() is None
