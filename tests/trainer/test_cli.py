"""`oct-train` as it is typed: what it refuses, in how many lines."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("command", [("compact", "--data", "data"), ("phantoms", "--count", "12")])
def test_a_folder_that_cannot_be_written_is_said_at_once(
    tmp_path: Path, run_command: Command, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", "/proc/nowhere"):
        done = run_command("oct-train", *command, "--out", out)
        assert done.returncode == 69
        assert done.stderr.splitlines()[0].startswith(f"error [output_unavailable]: {out}: cannot be written")
        assert "--out" in done.stderr.splitlines()[1]
        assert len(done.stderr.splitlines()) == 2


def test_the_list_of_commands_cuts_no_sentence_short(run_command: Command) -> None:
    _, commands = run_command("oct-train", "--help").stdout.split("Commands:")
    assert "crossval" in commands
    assert "..." not in commands


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize("command", [("compact", "--data", "data"), ("phantoms", "--count", "12")])
def test_a_seed_that_numpy_does_not_take_is_refused(
    tmp_path: Path, run_command: Command, command: tuple[str, ...], seed: int
) -> None:
    done = run_command("oct-train", *command, "--out", tmp_path, "--seed", seed)
    assert done.returncode == 2
    assert "--seed" in done.stderr


@pytest.mark.parametrize(
    ("values", "message"),
    [(("vgg19=none",), "`vgg19` is no network"), (("none", "imagenet"), "none and imagenet are for every network")],
)
def test_weights_that_leave_a_doubt_are_refused_before_anything_is_made(
    tmp_path: Path, run_command: Command, values: tuple[str, ...], message: str
) -> None:
    weights = [word for value in values for word in ("--weights", value)]
    done = run_command("oct-train", "all", "--data", "data", "--out", tmp_path / "runs", *weights)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.tf
@pytest.mark.parametrize("network", ["mobilenet", "vgg16"])
def test_a_download_that_fails_says_what_to_put_where(
    root: Path, tmp_path: Path, run_command: Command, network: str
) -> None:
    pytest.importorskip("tensorflow")
    nowhere = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path / "keras")}
    options = ("--data", root, "--out", tmp_path / "runs", "--weights", "imagenet")
    done = run_command("oct-train", network, *options, env=os.environ | nowhere)
    assert done.returncode == 1
    assert done.stdout == ""
    *_, message, hint = done.stderr.splitlines()
    assert message.startswith(f"error [weights]: ImageNet weights for {network} cannot be downloaded")
    assert f"{network}*.h5" in hint
    assert f"{network}=none" in hint


@pytest.mark.tf
def test_an_error_is_two_lines_without_the_chat_of_tensorflow(tmp_path: Path, run_command: Command) -> None:
    pytest.importorskip("tensorflow")
    done = run_command("oct-train", "compact", "--data", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error [data_set]:")
    assert "--data" in lines[1]
    assert len(lines) == 2


@pytest.mark.tf
def test_a_leak_is_refused_until_it_is_allowed(root: Path, tmp_path: Path, run_command: Command) -> None:
    pytest.importorskip("tensorflow")
    shutil.copytree(root / "test", root / "train", dirs_exist_ok=True)
    command = ("compact", "--data", root, "--out", tmp_path, "--weights", tmp_path / "nowhere")
    refused, allowed = (run_command("oct-train", *command, *option) for option in ((), ("--allow-leak",)))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error [leaking_split]: {root}: the split leaks. 12 scans to train on")
    assert "--allow-leak" in refused.stderr.splitlines()[1]
    assert allowed.stderr.startswith("error [weights]"), "the next thing to be looked at"
