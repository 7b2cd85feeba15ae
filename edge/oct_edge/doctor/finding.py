"""What is told: one line for each thing that was looked at, and under it what cures it, if it is not well."""

import os
import pwd
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from oct_edge.table import printable

State = Literal["ok", "warn", "fail"]
_COLOURS = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}
_PLAIN = "\x1b[0m"
_INDENT = 21


@dataclass(frozen=True)
class Finding:
    """`fail` is what nothing can be done with, `warn` what makes it worse. `cure` is a command where one does it."""

    what: str
    state: State
    text: str
    cure: str = ""


def lines(findings: Sequence[Finding], *, coloured: bool = False) -> Iterator[str]:
    """All of them, for people."""
    for finding in findings:
        state = f"{finding.state:<4}"
        shown = f"{_COLOURS[finding.state]}{state}{_PLAIN}" if coloured else state
        yield f"{shown}  {finding.what:<{_INDENT - 6}}{printable(finding.text)}".rstrip()
        if finding.cure:
            yield f"{'':<{_INDENT}}-> {printable(finding.cure)}"


def user() -> str:
    """Who asks, as commands call him; the environment may still name somebody else."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a number without a name
        return str(os.geteuid())
