"""What is shipped for systemd, and where each file belongs below the root of a system.

The unit runs the very `oct-edge` that writes it, wherever that is installed. It hides some places from the service: a
command that lies there could be written into it and would never start.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from oct_edge.errors import InstallationFailed

NAME = "oct-edge"
UNIT = f"{NAME}.service"
UNITS = Path("etc/systemd/system")
DROP_INS = UNITS / f"{UNIT}.d"
SYSUSERS = Path("etc/sysusers.d", f"{NAME}.conf")
TMPFILES = Path("etc/tmpfiles.d", f"{NAME}.conf")
CONFIGURATION = Path("etc", NAME, f"{NAME}.toml")
DATA = Path("var/lib", NAME)

_PLACES = {UNIT: UNITS / UNIT, f"sysusers.d/{NAME}.conf": SYSUSERS, f"tmpfiles.d/{NAME}.conf": TMPFILES}
_PROGRAM = "/opt/oct-edge/bin/oct-edge"  # in the unit that is shipped
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # by ProtectHome= and PrivateTmp=
_PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Where the files are: inside the package in a wheel, at the top of a checkout.

    Raises:
        InstallationFailed: in neither place.
    """
    places = (_PACKAGE / "systemd", _PACKAGE.parents[1] / "systemd")
    for place in places:
        if (place / UNIT).is_file():
            return place
    raise InstallationFailed(
        f"{places[0]}: the files for systemd are missing.",
        hint="Install the package again, from a wheel or a checkout.",
    )


def program() -> Path:
    """The command that is running, or the one that was installed beside this Python.

    Raises:
        InstallationFailed: there is none.
    """
    for path in (Path(sys.argv[0]).absolute(), Path(sys.executable).with_name(NAME)):
        if path.name == NAME and path.is_file() and os.access(path, os.X_OK):
            return path
    raise InstallationFailed(
        f"{sys.argv[0]}: no command that a unit could run.",
        hint="Install the package with pip, and run its `oct-edge`.",
    )


def hidden(command: Path) -> Path | None:
    """What the service would need and not see."""
    needed = (command, command.resolve(), Path(sys.prefix), Path(sys.base_prefix).resolve(), _PACKAGE)
    return next((path for path in needed for place in _HIDDEN if path.is_relative_to(place)), None)


def require_visible(command: Path) -> None:
    """Raise `InstallationFailed` where the service would not see all that it needs."""
    if path := hidden(command):
        raise InstallationFailed(
            f"{path}: the service does not see homes and temporary folders, and would not start.",
            hint="Install the package into a place of its own: docs/install.md does it in /opt/oct-edge.",
        )


def drop_ins() -> list[str]:
    """Every device that there is a drop-in for."""
    return sorted(path.stem for path in (folder() / f"{UNIT}.d").glob("*.conf"))


def files(command: Path, drop_ins: Iterable[str]) -> dict[Path, str]:
    """Content by place, relative to the root: the unit that runs `command`, who it is, its folders, its drop-ins.

    Raises:
        InstallationFailed: as `folder`, or systemd would not take the name of the command.
    """
    shipped = folder()
    places = _PLACES | {f"{UNIT}.d/{name}.conf": DROP_INS / f"{name}.conf" for name in drop_ins}
    texts = {place: (shipped / name).read_text(encoding="utf-8") for name, place in places.items()}
    texts[UNITS / UNIT] = texts[UNITS / UNIT].replace(f"={_PROGRAM} ", f"={_word(command)} ")
    return texts


def example() -> str | None:
    """The example of a configuration."""
    path = folder() / CONFIGURATION.name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _word(command: Path) -> str:
    """The command as one word of a command line in a unit.

    Raises:
        InstallationFailed: systemd would not take it, however it is written.
    """
    text = str(command).replace("%", "%%")
    if not text.isprintable() or any(character in text for character in "'\"\\"):
        raise InstallationFailed(
            f"{command}: systemd takes no program with quotes or backslashes in its name.",
            hint="Install the package into another folder.",
        )
    return f'"{text}"' if " " in text else text
