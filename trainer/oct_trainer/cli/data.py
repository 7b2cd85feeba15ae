"""What is there before any training: the list of networks, phantoms, and an audit of the data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from oct_edge.errors import ConfigurationError, OutputUnavailable
from oct_edge.files import make_folder
from oct_trainer.cli.app import LARGEST_SEED, app


@app.command(short_help="List the networks and what they cost.")
def networks(
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/networks@1 object.")] = False,
) -> None:
    """List the networks: layers, parameters, work, and the article's accuracy. Needs no TensorFlow."""
    from oct_trainer.networks.listing import describe, rows

    print(json.dumps(describe(), indent=1) if as_json else "\n".join(rows()))


@app.command()
def phantoms(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", readable=False, help="A new or empty folder.")],
    count: Annotated[int, typer.Option("--count", metavar="N", min=12, help="How many scans.")] = 400,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=LARGEST_SEED, help="The same seed draws the same scans.")
    ] = 0,
) -> None:
    """Draw synthetic phantoms in the layout of OCT2017. Needs no TensorFlow and no data."""
    from oct_trainer.phantom import write_dataset
    from oct_trainer.terminal import progress

    make_folder(out)
    with progress() as show:
        try:
            write_dataset(out, count, seed, on_progress=lambda done, total: show("synthetic phantoms", done, total))
        except FileExistsError as error:
            raise ConfigurationError(f"{out}: not empty.", hint="Name a new folder with --out.") from error
        except OSError as error:
            raise OutputUnavailable(
                f"{out}: cannot be written ({error.strerror}).", hint="Free some space, and name a new folder."
            ) from error
    print(out)


@app.command(short_help="Look for what would make figures lie.")
def audit(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folders of OCT2017's layout, or a CSV.")],
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/audit@1 object.")] = False,
) -> None:
    """Look for what would make figures lie: leaks between splits, copies, files that give the class away.

    Exits 1 on a leak. Needs no TensorFlow.
    """
    from oct_trainer.audit import rows, run_audit
    from oct_trainer.terminal import progress

    with progress() as show:
        found = run_audit(data, on_progress=lambda done, total: show("reading", done, total))
    print(json.dumps(found.to_dict(), indent=1) if as_json else "\n".join(rows(found)))
    raise typer.Exit(1 if found.leaks else 0)
