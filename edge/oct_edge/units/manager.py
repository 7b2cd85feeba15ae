"""What systemd is asked to do, one command after the other; the first that fails ends it and says what it said."""

import os
import subprocess
from pathlib import Path

from oct_edge.errors import InstallationFailed
from oct_edge.units.shipped import SYSUSERS, TMPFILES, UNIT

_SYSTEM = Path("/")
_WITHOUT = "Where systemd does not run, `--root /` writes or removes the files and nothing else."


def require_root(program: Path, command: str) -> None:
    """Raise `InstallationFailed` where this user may not change the system."""
    if os.geteuid():
        raise InstallationFailed(
            f"`oct-edge service {command}` changes the system, which only root may.",
            hint=f"sudo {program} service {command}",
        )


def take_over() -> None:
    """Make the user and the folders, and let systemd read the unit.

    Raises:
        InstallationFailed: one of the steps failed.
    """
    _run("systemd-sysusers", str(_SYSTEM / SYSUSERS))
    _run("systemd-tmpfiles", "--create", str(_SYSTEM / TMPFILES))
    _run("systemctl", "daemon-reload")


def start() -> None:
    """Start the service, now and with every boot; returns when the model has given its golden answers.

    Raises:
        InstallationFailed: it did not start.
    """
    _run("systemctl", "enable", UNIT)
    _run("systemctl", "reset-failed", UNIT)
    _run("systemctl", "restart", UNIT, hint=f"`journalctl -u {UNIT}` says why.")


def stop() -> None:
    """Stop the service for good.

    Raises:
        InstallationFailed: it did not stop.
    """
    _run("systemctl", "disable", "--now", UNIT)


def forget() -> None:
    """Let systemd notice that the unit is gone.

    Raises:
        InstallationFailed: systemd was not to be had.
    """
    _run("systemctl", "daemon-reload")


def _run(*command: str, hint: str = _WITHOUT) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise InstallationFailed(f"`{command[0]}` cannot be run ({error.strerror}).", hint=hint) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InstallationFailed(f"`{' '.join(command)}` failed: {said[0]}", hint=hint)
