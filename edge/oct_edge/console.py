"""What the three commands share: how they end, and how they say what went wrong."""

import os
import sys
from importlib import metadata
from io import TextIOWrapper
from typing import Annotated, TextIO

import typer

from oct_edge.errors import OctEdgeError, OutputUnavailable
from oct_edge.labels import DISCLAIMER
from oct_edge.table import printable

EPILOG = DISCLAIMER[0].upper() + DISCLAIMER[1:] + "."
DEBUG_VARIABLE = "OCT_EDGE_DEBUG"
INTERRUPTED = 130

DebugOption = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


def application(summary: str) -> typer.Typer:
    """A Typer application in the style of the house."""
    return typer.Typer(
        help=f"{summary}\n\n{EPILOG}",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def run(app: typer.Typer) -> None:
    """Run the application; an `OctEdgeError` becomes two lines on stderr and its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the locale does not
    try:
        app()
    except OctEdgeError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before Typer listens, which takes it later
        sys.exit(INTERRUPTED)


def set_debug(debug: bool) -> None:
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def say(line: str) -> None:
    """One line on stdout, now.

    Raises:
        OutputUnavailable: it cannot be written (a full disk). A reader that went away is left to Typer.
    """
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail again at exit and change the exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputUnavailable(f"standard output: cannot be written ({error.strerror}).") from error


def is_coloured(stream: TextIO) -> bool:
    """Whether a person reads the stream on a terminal that knows colours, and did not say NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def complain(error: OctEdgeError) -> None:
    for message in error.messages():
        print(f"error [{error.code}]: {printable(message)}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)


def package_version() -> str:
    return metadata.version("oct-edge")
