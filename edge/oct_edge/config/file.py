"""The configuration file: TOML, with the line that each key begins on, which `tomllib` does not keep."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USUAL = Path("/etc/oct-edge/oct-edge.toml")
Name = tuple[str, ...]


class FileMistake(Exception):
    """The file cannot be read as a whole; `line` where that is known."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text, self.line = text, line


@dataclass(frozen=True)
class File:
    """What a file says: its tables, and the line of each table and key."""

    content: Mapping[str, Any]
    lines: Mapping[Name, int]


def read_file(path: Path) -> File:
    """Read a file in UTF-8, with or without the mark that some editors of other systems put in front.

    Raises:
        FileMistake: it is no TOML, or cannot be read.
        FileNotFoundError: there is none.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        return File(tomllib.loads(text), _lines(text))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileMistake(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FileMistake("is not in UTF-8", data.count(b"\n", 0, error.start) + 1) from error
    except (ValueError, RecursionError) as error:  # also of numbers and lists without end
        raise FileMistake(*_explained(str(error), text)) from error


def _lines(text: str) -> dict[Name, int]:
    """The line on which each table and key begins.

    A statement of TOML is the least number of lines that parse by themselves, so the parser finds its end.
    """
    found: dict[Name, int] = {}
    table: Name = ()
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement += f"{line}\n"
        try:
            content = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        header = statement.lstrip().startswith("[")
        names = [name if header else (*table, *name) for name in _names(content)]
        for name in names:
            found.setdefault(name, first)
        table = names[-1] if header else table
        statement, first = "", number + 1
    return found


def _names(content: Mapping[str, Any], table: Name = ()) -> Iterator[Name]:
    """Of every table and every value in it."""
    for word, value in content.items():
        yield (*table, word)
        if isinstance(value, dict):
            yield from _names(value, (*table, word))


def _explained(message: str, text: str) -> tuple[str, int]:
    """What the parser says, and the line it means."""
    found = re.fullmatch(r"(.*?)(?: \(at (?:line (\d+), column \d+|end of document)\))?", message, re.DOTALL)
    what, line = found.groups() if found else (message, None)
    return f"is not TOML ({what[:1].lower()}{what[1:]})", int(line) if line else text.rstrip("\n").count("\n") + 1
