"""Flags over variables over the file over the defaults.

A relative path is one of the working directory where a flag or a variable gives it, and refused in the file: a service
has no directory of its own to start from, and nobody would look for scans in the folder of the file.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oct_edge.config.file import USUAL, File, FileMistake, read_file
from oct_edge.config.keys import FLAGS, KEYS, PREFIX, SECTIONS, VARIABLES, Key, nearest
from oct_edge.config.loaded import DEFAULT, Loaded, Mistake, Value

FILE_VARIABLE = f"{PREFIX}CONFIG"
NO_SETTINGS = frozenset({FILE_VARIABLE, f"{PREFIX}DEBUG", f"{PREFIX}NATIVE_LOGS"})
ALIASES = {f"{PREFIX}STATE": KEYS["state.folder"]}
_WRITTEN = ("output.jsonl", "output.csv", "metrics.textfile")


@dataclass(frozen=True)
class Sources:
    """Where settings come from; they are read anew by each `load`.

    `flags` are values by the names of their keys, None where one was not given. Without a `file` it is the one that a
    variable names, or the `usual` one if it is there.
    """

    flags: Mapping[str, object] = field(default_factory=dict)
    file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    usual: Path = USUAL

    def load(self) -> Loaded:
        """All there is, right or wrong; nothing is raised."""
        layers = _Layers()
        named = self.file or (Path(self.environ[FILE_VARIABLE]) if self.environ.get(FILE_VARIABLE) else None)
        file = layers.take_file(named or self.usual, needed=named is not None)
        layers.take_variables(self.environ)
        layers.take_flags(self.flags)
        layers.compare()
        return Loaded(layers.values, tuple(layers.mistakes), file)


class _Layers:
    """One layer is laid over the other; what is wrong in one is collected, whatever lies over it."""

    def __init__(self) -> None:
        self.values = {key.name: Value(key.default) for key in KEYS.values() if not key.required}
        self.mistakes: list[Mistake] = []

    def take_file(self, path: Path, *, needed: bool) -> Path | None:
        """Take what the file says; returns its path if there is one."""
        try:
            file = read_file(path)
        except FileNotFoundError:
            if not needed:
                return None
            self._wrong(str(path), "there is no such file")
        except FileMistake as error:
            self._wrong(f"{path}:{error.line}" if error.line else str(path), error.text)
        else:
            for section, content in file.content.items():
                self._take_section(path, file, section, content)
        return path

    def take_variables(self, environ: Mapping[str, str]) -> None:
        """Take every variable of ours; an empty one counts as not set."""
        given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and text}
        for name in sorted(given.keys() - VARIABLES.keys() - ALIASES.keys() - NO_SETTINGS):
            self._unknown(name, name.removeprefix(PREFIX), variable=True)
        for name, key in [*ALIASES.items(), *VARIABLES.items()]:
            if name in given:
                self._take(name, key, key.of_text, given[name])
        for alias, key in ALIASES.items():
            if alias in given and given.get(key.variable, given[alias]) != given[alias]:
                self._wrong(alias, f"{key.variable} says otherwise, and both set {key.name}", key.name)

    def take_flags(self, flags: Mapping[str, object]) -> None:
        for name, value in flags.items():
            if value is not None:
                self._take(FLAGS[name], KEYS[name], KEYS[name].checked, value)

    def compare(self) -> None:
        """What is wrong with two values that are right by themselves."""
        give_up, stable = self.values["source.give_up"], self.values["source.stable"]
        if give_up.value <= stable.value:
            origin = stable.origin if give_up.origin == DEFAULT else give_up.origin
            text = f"source.give_up ({give_up.value:g}) has to be more than source.stable ({stable.value:g})"
            self._wrong(origin, text, "source.give_up")
        seen: dict[Path, str] = {}
        for name in _WRITTEN:
            path, origin = self.values[name].value, self.values[name].origin
            if path in seen:
                self._wrong(origin, f"{name} names the same file as {seen[path]}", name)
            elif path:
                seen[path] = name

    def _take_section(self, path: Path, file: File, section: str, content: Any) -> None:
        here = f"{path}:{file.lines[section,]}"
        if section not in SECTIONS and not (isinstance(content, dict) and content):
            self._unknown(here, section)
        elif not isinstance(content, dict):
            self._wrong(here, f"{section} has to be a table of keys, below a line [{section}]", section)
        else:
            for field, value in content.items():
                here, key = f"{path}:{file.lines[section, field]}", KEYS.get(f"{section}.{field}")
                if key:
                    self._take(here, key, key.of_file, value)
                else:
                    self._unknown(here, f"{section}.{field}")

    def _take(self, origin: str, key: Key, read: Callable[[Any], Any], value: object) -> None:
        try:
            self.values[key.name] = Value(read(value), origin)
        except ValueError as error:
            self._wrong(origin, f"{key.name} {error}", key.name)

    def _unknown(self, origin: str, name: str, *, variable: bool = False) -> None:
        key = nearest(name)
        known = f"; the nearest is {key.variable if variable else key.name}" if key else ""
        self._wrong(origin, f"{'' if variable else f'{name} '}is no setting{known}", key.name if key else None)

    def _wrong(self, origin: str, text: str, key: str | None = "") -> None:
        self.mistakes.append(Mistake(origin, text, key))
