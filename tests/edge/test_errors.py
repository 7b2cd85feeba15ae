"""The error tree is what its drawing says, and nothing is raised without a code and a hint."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct_edge import errors
from oct_edge.errors import OctEdgeError

ROOT = Path(__file__).parents[2]
SOURCES = [path for part in ("edge", "trainer", "converters") for path in sorted((ROOT / part).rglob("*.py"))]
ROOM = [path for path in SOURCES if path.name == "errors.py"]
BRANCHES = {"OctEdgeError", "ScanError", "ModelError", "LedgerError", "WorkstationError"}


def below(kind: type[OctEdgeError]) -> Iterator[type[OctEdgeError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


TREE = {kind.__name__: kind for kind in below(OctEdgeError) if kind.__module__ == errors.__name__}
each_error = pytest.mark.parametrize("kind", TREE.values(), ids=TREE)


def drawn() -> Iterator[tuple[str, str, int | None]]:
    """Name, name of the parent, and exit code if one is drawn, of each line of the tree in the docstring."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+)(?: +exit (\d+))?", line):
            indent, name, code = found.groups()
            depth = len(indent) // 4 + ("── " in line)
            above[depth:] = [name]
            yield name, above[depth - 1] if depth else "Exception", int(code) if code else None


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Where, class and call of every error that is made in the packages."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TREE:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.func.id, node


def test_the_tree_drawn_in_the_docstring_is_that_of_the_classes() -> None:
    assert {name: parent for name, parent, _ in drawn()} == {
        name: kind.__base__.__name__ for name, kind in TREE.items() if kind.__base__
    }


def test_the_exit_codes_drawn_are_those_of_the_classes() -> None:
    codes = {name: code for name, _, code in drawn() if code is not None}
    assert codes == {name: TREE[name].exit_code for name in codes}
    for name, parent, code in drawn():
        assert TREE[name].exit_code == (TREE[parent].exit_code if code is None and parent in TREE else code or 1)


def test_every_code_is_unique_and_stable_in_form() -> None:
    codes = [kind.code for kind in TREE.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]+", code) for code in codes)


@each_error
def test_an_error_has_an_exit_code_of_the_design_and_says_when_it_occurs(kind: type[OctEdgeError]) -> None:
    assert kind.exit_code in {1, 69, 78}
    assert kind.__doc__
    assert "code" in vars(kind)


def test_errors_live_in_one_room() -> None:
    assert len(ROOM) == 1
    assert {kind.__module__ for kind in below(OctEdgeError) if kind.__module__.startswith("oct_")} == {errors.__name__}


def test_every_error_that_is_raised_has_a_hint_of_its_class_or_of_its_own() -> None:
    without = [
        f"{where} {name}"
        for where, name, call in calls()
        if not TREE[name].hint and "hint" not in {keyword.arg for keyword in call.keywords}
    ]
    assert without == []


def test_only_leaves_are_raised_and_every_leaf_is() -> None:
    raised = {name for _, name, _ in calls()}
    assert raised & BRANCHES == set()
    assert set(TREE) - BRANCHES - raised == set()


def test_a_hint_of_its_own_replaces_that_of_the_class() -> None:
    error = errors.ScanEmpty("scan.jpeg: the file is empty.", hint="Wait.")
    assert (error.message, error.hint, str(error)) == ("scan.jpeg: the file is empty.", "Wait.", error.message)
    assert errors.ScanEmpty("").hint == errors.ScanEmpty.hint != "Wait."
