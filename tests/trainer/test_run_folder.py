"""A run is there whole or not at all, whatever ends the training."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import make_folder
from oct_trainer.run_folder import CONTENT, STATE, find_run, new_run

TRAIN = """
import sys
from pathlib import Path
from oct_trainer.run_folder import CONTENT, new_run

def train(out, mark):
    with new_run(Path(out), "compact") as run:
        for name in sorted(CONTENT):
            (run / name).write_text(mark)
"""
KILLED = """
import os, shutil, signal
left = int(sys.argv[2])

def counted(step):
    def run(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return step(*arguments, **options)
    return run

os.mkdir, os.unlink, os.rename, os.rmdir = map(counted, (os.mkdir, os.unlink, os.rename, os.rmdir))
train(sys.argv[1], "new")
"""


def train(out: Path, mark: str) -> None:
    with new_run(out, "compact") as run:
        for name in CONTENT:
            (run / name).write_text(mark)


def fail(out: Path, failure: BaseException, written: str) -> None:
    with new_run(out, "compact") as run:
        (run / written).write_text("new")
        raise failure


def marks(out: Path) -> set[str]:
    """What the files of the run that is found say of themselves; all of them have to be there."""
    run = find_run(out, "compact")
    assert run is not None
    assert {path.name for path in run.iterdir()} == CONTENT
    return {path.read_text() for path in run.iterdir()}


def test_a_run_is_found_when_it_is_complete_and_not_before(tmp_path: Path) -> None:
    with new_run(tmp_path, "compact") as run:
        for name in CONTENT | {STATE}:
            (run / name).touch()
        assert find_run(tmp_path, "compact") is None
    assert find_run(tmp_path, "compact") == tmp_path / "compact"
    assert {path.name for path in (tmp_path / "compact").iterdir()} == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["compact"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_training_that_fails_leaves_the_run_before_and_says_where_its_epochs_are(
    tmp_path: Path, failure: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, "old")
    with pytest.raises(failure):
        fail(tmp_path, failure(), STATE)
    run = tmp_path / ".compact.partial"
    assert marks(tmp_path) == {"old"}
    assert str(run) in capsys.readouterr().err
    assert (run / STATE).is_file()
    train(tmp_path, "new")
    assert marks(tmp_path) == {"new"}
    assert not run.exists()


def test_a_restart_begins_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"):
        fail(tmp_path, ValueError("bad"), STATE)
    with new_run(tmp_path, "compact", restart=True) as run:
        assert not list(run.iterdir())


def test_what_a_run_was_made_of_is_kept_until_the_run_has_its_place(tmp_path: Path) -> None:
    """Killed between the two, it would else be lost; and what a kill behind them leaves does not refuse the next."""
    train(tmp_path, "old")
    for name in (STATE, "epoch-12.weights.h5"):
        (tmp_path / "compact" / name).touch()
    train(tmp_path, "new")
    assert marks(tmp_path) == {"new"}


def test_a_training_that_fails_before_its_first_checkpoint_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="bad"):
        fail(tmp_path, ValueError("bad"), "split.csv")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


@pytest.mark.system
def test_a_kill_at_any_step_leaves_the_old_or_the_new_run_whole(tmp_path: Path) -> None:
    found = []
    for step in range(20):
        out = tmp_path / str(step)
        train(out, "old")
        done = subprocess.run([sys.executable, "-c", TRAIN + KILLED, str(out), str(step)], check=False)
        found.append(marks(out))
        train(out, "next")
        assert marks(out) == {"next"}
        assert [path.name for path in out.iterdir()] == ["compact"]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    else:
        pytest.fail("more steps than expected")
    assert found[0] == {"old"}
    assert found[-2:] == [{"new"}, {"new"}]
    assert len(found) > 4


def test_a_second_training_of_the_network_is_refused(tmp_path: Path) -> None:
    with new_run(tmp_path, "compact") as run:
        (run / STATE).touch()
        with pytest.raises(ConfigurationError, match="another training"), new_run(tmp_path, "compact"):
            pass
        assert (run / STATE).exists()
        with new_run(tmp_path, "mobilenet"):
            pass


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    train(tmp_path, "old")
    (tmp_path / "compact" / "thesis.txt").touch()
    with pytest.raises(ConfigurationError, match="not of a run"), new_run(tmp_path, "compact"):
        pytest.fail("hours of training")
    assert (tmp_path / "compact" / "thesis.txt").exists()


def test_a_run_of_another_network_is_not_replaced(tmp_path: Path) -> None:
    train(tmp_path, "old")
    (tmp_path / "compact" / "metrics.json").write_text('{"network": "vgg16"}')
    with pytest.raises(ConfigurationError, match="holds a run of vgg16") as caught, new_run(tmp_path, "compact"):
        pytest.fail("hours of training")
    assert "--out" in caught.value.hint
    assert (tmp_path / "compact" / "model.keras").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["compact"]


def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    train(tmp_path / "elsewhere", "old")
    (tmp_path / "compact").symlink_to(tmp_path / "elsewhere" / "compact")
    with pytest.raises(ConfigurationError, match="not of a run"), new_run(tmp_path, "compact"):
        pytest.fail("hours of training")
    assert marks(tmp_path) == {"old"}


def test_a_disk_that_fills_is_an_error_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(OutputUnavailable, match="No space left"):
        fail(tmp_path, OSError(28, "No space left on device"), "split.csv")


def test_a_folder_that_cannot_be_made_is_refused_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(OutputUnavailable, match=str(folder)) as caught:
            make_folder(folder)
        assert "--out" in caught.value.hint


def test_trying_a_folder_leaves_no_trace(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
