"""`oct-edge`: thin commands that parse, call and print.

Nothing heavy is imported before a command needs it: `--help` answers without numpy. Paths are `readable=False` so that
Typer does not check them: an input that may not be read is a rejected scan, not a usage error that stops the others.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oct_edge import cli_classify, cli_config, cli_device, cli_ledger, cli_service
from oct_edge.cli_classify import RuntimeKind, RuntimeOption, ThreadsOption
from oct_edge.console import DebugOption, application, package_version, run, set_debug
from oct_models import DEFAULT

app = application("Grade retinal OCT B-scans on the device.")


class QuarantineMode(StrEnum):
    """The values of --quarantine."""

    note = "note"
    copy = "copy"
    link = "link"


class SchemaKind(StrEnum):
    """What there is a schema of."""

    result = "result"
    volume = "volume"


def _print_versions(asked: bool) -> None:
    if not asked:
        return
    import platform
    from importlib import metadata

    from oct_edge.catalogue import describe
    from oct_edge.runtime import installed_runtimes

    print(f"oct-edge {package_version()}")
    print(f"python {platform.python_version()} {platform.machine()}")
    for package in ("numpy", "pillow"):
        print(f"{package} {metadata.version(package)}")
    for kind, version in installed_runtimes().items():
        print(f"runtime {kind} {version}")
    for entry in describe():
        print(f"model {entry['name']} {entry['sha256']}")
    raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_versions, is_eager=True, help="Print all that a bug report needs."),
    ] = False,
    debug: DebugOption = False,
) -> None:
    set_debug(debug)


app.command()(cli_classify.classify)


@app.command()
def watch(
    inbox: Annotated[
        Path | None,
        typer.Argument(metavar="INBOX", help="Where scans are copied to.", readable=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Where one JSON file a scan is written.", readable=False),
    ] = None,
    file: cli_config.ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Answer what is there, then end.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="DIR", help="Where the ledger is kept. [default: OUTPUT.state]", readable=False
        ),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", metavar="FILE", help="Gets each result as one JSON line.", readable=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Gets each result as one CSV line.", readable=False)
    ] = None,
    quarantine: Annotated[
        QuarantineMode | None,
        typer.Option("--quarantine", help="What is kept of a scan that has no answer. [default: note]"),
    ] = None,
    interval: Annotated[
        float | None, typer.Option("--interval", min=0.05, help="Seconds between two looks. [default: 1]")
    ] = None,
    stable: Annotated[
        float | None, typer.Option("--stable", min=0.0, help="Seconds a file must not change. [default: 2]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|PATH", help=f"A bundled model or a .tflite file. [default: {DEFAULT}]"),
    ] = None,
    runtime: Annotated[
        RuntimeKind | None, typer.Option("--runtime", help="The TFLite runtime; auto is litert. [default: auto]")
    ] = None,
    threads: ThreadsOption = None,
) -> None:
    """Watch a folder and answer every scan in it once, also across restarts.

    Each result is an event in the ledger, one JSON file in the output folder and, once both are durable, one line on
    stdout. The scans themselves are never changed. SIGTERM ends it after the scan under way.

    What is not given here is taken from OCT_EDGE_* variables and from the configuration file, which SIGHUP reads again.
    """
    cli_config.run_daemon(
        {
            "source.inbox": inbox,
            "source.stable": stable,
            "source.interval": interval,
            "output.folder": output,
            "output.jsonl": jsonl,
            "output.csv": csv,
            "quarantine.mode": quarantine and quarantine.value,
            "state.folder": state,
            "model.name": model,
            "model.runtime": runtime and runtime.value,
            "model.threads": threads,
        },
        file,
        once=once,
    )


app.command()(cli_ledger.results)
app.command()(cli_ledger.status)
app.command()(cli_ledger.regrade)
app.add_typer(cli_ledger.audit, name="audit")
app.add_typer(cli_config.config, name="config")
app.add_typer(cli_service.service, name="service")


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run the golden inputs through each model.")] = False,
    runtime: RuntimeOption = RuntimeKind.auto,
) -> None:
    """List the bundled models, with their measured accuracy."""
    from oct_edge.catalogue import describe, rows

    entries = list(describe(check=check, runtime=runtime.value))
    if as_json:
        print("\n".join(json.dumps(entry) for entry in entries))
    else:
        print("\n".join(rows(entries)))


app.command()(cli_device.bench)
app.command()(cli_device.doctor)


@app.command()
def schema(
    of: Annotated[SchemaKind, typer.Argument(metavar="[result|volume]", help="Of what.")] = SchemaKind.result,
) -> None:
    """Print the JSON Schema of a result, or of the summary of a volume."""
    from oct_edge import result, volume

    print(json.dumps(volume.json_schema() if of is SchemaKind.volume else result.json_schema(), indent=2))


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
