"""What the device may import, and which arrows between the packages there are."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKSTATION = ("tensorflow", "keras", "sklearn", "matplotlib", "pydicom", "picamera2", "oct_trainer", "oct_converters")
HEAVY = {"numpy", "PIL", "tensorflow", "keras", "sklearn", "matplotlib", "ai_edge_litert", "tflite_runtime"}


def python(script: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def modules(package: str) -> list[str]:
    folder = next(ROOT.glob(f"*/{package}"))
    names = [path.relative_to(folder.parent).with_suffix("") for path in sorted(folder.rglob("*.py"))]
    return [".".join(name.parts).removesuffix(".__init__") for name in names]


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """File and top-level package of every import below a source root, also those inside functions."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "." * node.level]
            yield from ((str(path.relative_to(ROOT)), name.split(".")[0]) for name in names)


def test_every_module_of_the_device_imports_without_the_workstations_packages() -> None:
    script = (
        "import sys, importlib, json\n"
        f"sys.modules.update(dict.fromkeys({WORKSTATION}))\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    names = modules("oct_edge")
    assert {"oct_edge", "oct_edge.cli", "oct_edge.watch"} <= set(names)
    python(script, *names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *(
            [name, "--help"]
            for name in ("classify", "watch", "results", "status", "audit", "config", "models", "bench")
        ),
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print('\\n' + json.dumps(sorted(m.split('.')[0] for m in sys.modules))))\n"
        "from oct_edge.cli import main\n"
        "sys.argv[0] = 'oct-edge'\n"
        "main()\n"
    )
    output = python(script, *arguments)
    assert "Usage: oct-edge" in output
    assert HEAVY & set(json.loads(output.splitlines()[-1])) == set()


def test_the_daemon_itself_neither_decodes_nor_grades() -> None:
    """It holds a third of the memory that way, and what can crash is in the worker."""
    output = python("import sys, json, oct_edge.service; print(json.dumps([m.split('.')[0] for m in sys.modules]))")
    assert HEAVY & set(json.loads(output)) == set()


def test_commands_that_need_no_ledger_load_no_database() -> None:
    output = python("import sys, json, oct_edge.cli, oct_edge.classifier; print(json.dumps(list(sys.modules)))")
    assert "sqlite3" not in json.loads(output)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("models", {"oct_edge", "oct_trainer", "oct_converters", *HEAVY}),
        ("edge", {"oct_trainer", "oct_converters", "tensorflow", "keras", "sklearn", "matplotlib"}),
        ("trainer", {"oct_converters"}),
    ],
)
def test_the_arrows_between_the_packages_point_down(folder: str, forbidden: set[str]) -> None:
    found = list(imported(folder))
    assert found
    assert [(path, name) for path, name in found if name in forbidden] == []
