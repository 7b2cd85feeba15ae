"""docs/faults.md is true: all cases stand there once, and every test that it names is there and runs when it says."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`(?: \((?:nightly|`make (?:systemd|powercut)`)\))?")
ROWS = ROW.findall(PAGE.read_text())


@cache
def found_in(file: str) -> dict[str, bool]:
    """Every test of a module by its name, and whether all of it is left to the night."""
    module = ast.parse((ROOT / "tests" / file).read_text())
    marks = [ast.unparse(node) for node in module.body if isinstance(node, ast.Assign)]
    of_all = any(mark.startswith("pytestmark") and "nightly" in mark for mark in marks)
    tests = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {
        test.name: of_all or any(ast.unparse(mark) == "pytest.mark.nightly" for mark in test.decorator_list)
        for test in tests
    }


def test_every_case_stands_there_once() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 58))


@pytest.mark.parametrize(("number", "tests", "result"), [(row[0], *row[2:]) for row in ROWS], ids=[r[0] for r in ROWS])
def test_a_case_has_tests_that_are_there_or_a_sentence_why_not(number: str, tests: str, result: str) -> None:
    named = list(NAMED.finditer(tests))
    assert NAMED.sub("", tests).strip() == ""
    for found in named:
        file, name = found.groups()
        assert name in found_in(file), f"case {number}: there is no {file}::{name}"
        assert found_in(file)[name] == found[0].endswith(")"), f"case {number}: when does {name} run?"
    assert named or (result.endswith(".") and len(result.split()) > 8), f"case {number}: why is there no test?"
    assert "comes with the gate" not in result.lower() or 20 <= int(number) <= 29
