"""`oct-edge service install | uninstall | print`: thin commands that put the systemd service where it belongs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oct_edge.console import say

service = typer.Typer(
    help="Install, show and remove the systemd service that watches a folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SYSTEM = Path("/")
RootOption = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", help="Only files, below this folder.", exists=True, file_okay=False),
]


def _device(option: str, what: str) -> Any:
    return typer.Option(f"--{option}/--no-{option}", help=f"Let it use {what}.", show_default="as it is")


@service.command()
def install(
    root: RootOption = None,
    coral: Annotated[bool | None, _device("coral", "an Edge TPU")] = None,
    camera: Annotated[bool | None, _device("camera", "a camera")] = None,
    now: Annotated[bool, typer.Option("--now", help="Start it, now and with every boot.")] = False,
) -> None:
    """Write the unit, its user and folders, and an example of a configuration where there is none.

    A second time it changes nothing, or brings up to date what an earlier release wrote. Needs root.
    """
    from oct_edge.units import installation, manager, shipped

    if root and now:
        raise typer.BadParameter("--now starts the service, and what lies below --root does not run.")
    program = shipped.program()
    if root:
        _say_what_is_hidden(program)
    else:
        manager.require_root(program, "install")
        shipped.require_visible(program)
    for line in installation.install(root or SYSTEM, program, {"coral": coral, "camera": camera}):
        say(line)
    if not root:
        manager.take_over()
        if now:
            manager.start()
        else:
            print("next: systemctl enable --now oct-edge", file=sys.stderr)


@service.command()
def uninstall(root: RootOption = None) -> None:
    """Stop the service and remove its files; scans, results, ledger and a changed configuration stay. Needs root."""
    from oct_edge.units import installation, manager, shipped

    program = shipped.program()
    if not root:
        manager.require_root(program, "uninstall")
        if installation.is_installed(SYSTEM):
            manager.stop()
    for line in installation.uninstall(root or SYSTEM, program):
        say(line)
    if not root:
        manager.forget()


@service.command("print")
def show(
    coral: Annotated[bool, typer.Option("--coral", help="With the drop-in for an Edge TPU.")] = False,
    camera: Annotated[bool, typer.Option("--camera", help="With the drop-in for a camera.")] = False,
) -> None:
    """Print the unit as `install` would write it."""
    from oct_edge.units import shipped

    program = shipped.program()
    _say_what_is_hidden(program)
    drop_ins = [name for name, asked in {"coral": coral, "camera": camera}.items() if asked]
    for place, text in shipped.files(program, drop_ins).items():
        if place.is_relative_to(shipped.UNITS):
            say(f"# /{place}\n{text}")


def _say_what_is_hidden(program: Path) -> None:
    from oct_edge.units import shipped

    if path := shipped.hidden(program):
        print(f"note: the service would not see {path}, and not start.", file=sys.stderr)
