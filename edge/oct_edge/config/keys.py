"""Every key of the tree by name, what its values may be, and which variable and flag stand for it."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from oct_edge.config.tree import About, Config

PREFIX = "OCT_EDGE_"
FLAGS = {
    "source.inbox": "INBOX",
    "source.stable": "--stable",
    "source.interval": "--interval",
    "output.folder": "--output",
    "output.jsonl": "--jsonl",
    "output.csv": "--csv",
    "quarantine.mode": "--quarantine",
    "state.folder": "--state",
    "model.name": "--model",
    "model.runtime": "--runtime",
    "model.threads": "--threads",
}
_SIMILAR = 0.7  # what is less alike is no misspelling
_WORDS = {
    str: "a text",
    Path: "the path of a file or folder",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Key:
    """One setting: the field of a section, of one `kind`, without a default where it has to be given."""

    section: str
    field: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    about: About

    @property
    def name(self) -> str:
        return f"{self.section}.{self.field}"

    @property
    def variable(self) -> str:
        return f"{PREFIX}{self.section}_{self.field}".upper()

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def of_file(self, value: object) -> Any:
        """The value that the file gives, in which paths begin with /. Raises as `checked`."""
        checked = self.checked(value)
        names_a_file = isinstance(checked, Path) or (self.name == "model.name" and _is_path(checked))
        if names_a_file and not Path(checked).is_absolute():
            raise ValueError(f"has to be a whole path, which begins with /, not {_shown(value)}")
        return checked

    def of_text(self, text: str) -> Any:
        """The value that a variable spells. Raises as `checked`."""
        if self.kind is bool:
            return self.checked(_TRUTH.get(text.lower(), text))
        return self.checked(_number(text) if self.kind in (int, float) else text)

    def checked(self, value: object) -> Any:
        """The value as the tree holds it.

        Raises:
            ValueError: it is of another kind or out of range; the message says what it has to be.
        """
        if self.kind is Path and isinstance(value, str) and value and "\0" not in value:
            value = Path(value)
        if self.kind is float and type(value) is int:
            value = float(value) if abs(value) < 1e300 else math.inf
        if isinstance(value, str) and value in self.about.later:
            raise ValueError(f"cannot be {_shown(value)} in this release; it has to be {_either(self.choices)}")
        if self.choices and value not in self.choices:
            raise ValueError(f"has to be {_either(self.choices)}, not {_shown(value)}")
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise ValueError(f"has to be {_WORDS[self.kind]}, not {_shown(value)}")
        if isinstance(value, int | float) and not self._in_range(value):
            raise ValueError(f"has to be {self.about.range()}, not {_shown(value)}")
        if self.about.form and isinstance(value, str):
            self.about.form(value)
        return value

    def _in_range(self, value: float) -> bool:
        low, high = self.about.minimum, self.about.maximum
        return math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)


def _keys() -> Iterator[Key]:
    for section in fields(Config):
        kind = get_type_hints(Config)[section.name]
        hints = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            base, about = get_args(hints[field.name])
            choices = get_args(base) if get_origin(base) is Literal else ()
            one = str if choices else next(iter(set(get_args(base)) - {NoneType}), base)
            yield Key(section.name, field.name, one, choices, field.default, about)


KEYS = {key.name: key for key in _keys()}
VARIABLES = {key.variable: key for key in KEYS.values()}
SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS.values()))


def nearest(unknown: str) -> Key | None:
    """The key that was probably meant, by its whole name or by its last word."""
    whole, last = unknown.lower().replace(".", "_"), unknown.lower().rpartition(".")[2]

    def likeness(key: Key) -> tuple[float, float]:
        alike = SequenceMatcher(None, whole, f"{key.section}_{key.field}").ratio()
        return max(alike, *(SequenceMatcher(None, word, key.field).ratio() for word in (whole, last))), alike

    key = max(KEYS.values(), key=likeness)
    return key if likeness(key)[0] >= _SIMILAR else None


def _number(text: str) -> int | float | str:
    """The number that a text spells, or the text."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join((*([", ".join(choices[:-1])] if choices[:-1] else []), choices[-1]))


def _is_path(model: str) -> bool:
    return "/" in model or model.endswith(".tflite")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
