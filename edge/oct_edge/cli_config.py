"""`oct-edge config check | show`, and the settings that `watch` starts with: what the daemon is told, and by whom."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.console import DEBUG_VARIABLE, say
from oct_edge.errors import OctEdgeError

config = typer.Typer(
    help="Check and show the settings of the watched folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings in TOML. [default: what OCT_EDGE_CONFIG names, or /etc/oct-edge/oct-edge.toml if it is there]",
        readable=False,
    ),
]


@config.command()
def check(file: ConfigOption = None) -> None:
    """Whether a daemon could start with these settings, as this user; nothing is started or written.

    Exits 78 and names every mistake with its line or variable.
    """
    from oct_edge.config.load import Sources
    from oct_edge.config.loaded import DEFAULT, require_none
    from oct_edge.config.places import unusable

    loaded = Sources(file=file).load()
    require_none([*loaded.mistakes, *loaded.missing(), *unusable(loaded)])
    given = sum(found.origin != DEFAULT for found in loaded.values.values())
    say(f"{loaded.file or 'no file'}: {given} settings are given, {len(loaded.values) - given} have their default")


@config.command()
def show(
    file: ConfigOption = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Print the settings that the file and the variables give, as a file that says the same."""
    from oct_edge.config import show
    from oct_edge.config.load import Sources
    from oct_edge.config.loaded import require_none

    loaded = Sources(file=file).load()
    require_none(list(loaded.mistakes))
    for line in (
        [json.dumps(show.as_json(loaded, origins=origin))] if as_json else show.toml_lines(loaded, origins=origin)
    ):
        say(line)


def run_daemon(flags: Mapping[str, object], file: Path | None, *, once: bool) -> None:
    """Watch with these flags over the variables over the file, which is read again when a signal says so."""
    from oct_edge import logs
    from oct_edge.config.load import Sources
    from oct_edge.service import serve

    sources = Sources(flags, file)
    loaded = sources.load()
    sources = replace(sources, file=loaded.file)  # a file that was there and is gone is a mistake from now on
    try:
        code = serve(loaded.config(), once=once, read=lambda: sources.load().config())
    except OctEdgeError as error:
        if os.environ.get(DEBUG_VARIABLE) or not logs.told(error):
            raise
        code = error.exit_code
    raise typer.Exit(code)
