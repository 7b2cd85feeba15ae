"""What was read: every value with where it came from, and everything that is wrong, which is told together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from oct_edge.config.keys import FLAGS, KEYS
from oct_edge.config.tree import Config, beside
from oct_edge.errors import SettingsRefused

DEFAULT = "default"


@dataclass(frozen=True)
class Value:
    """What a key is set to, and by whom: `file:line`, a variable, a flag, or the default."""

    value: Any
    origin: str = DEFAULT


@dataclass(frozen=True)
class Mistake:
    """What is wrong, and where that stands. `key` is the setting that is not known therefore; "" stands for all."""

    origin: str
    text: str
    key: str | None

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}."


@dataclass(frozen=True)
class Loaded:
    """The values by the names of their keys, the mistakes, and the file if there is one."""

    values: Mapping[str, Value]
    mistakes: tuple[Mistake, ...]
    file: Path | None

    def config(self) -> Config:
        """The settings.

        Raises:
            SettingsRefused: something is wrong or missing.
        """
        require_none([*self.mistakes, *self.missing()])
        sections: dict[str, dict[str, Any]] = {section.name: {} for section in fields(Config)}
        for name, found in self.values.items():
            sections[KEYS[name].section][KEYS[name].field] = found.value
        return Config(**{name: Config.__annotations__[name](**content) for name, content in sections.items()})

    def missing(self) -> Iterator[Mistake]:
        """What nobody has set, and nothing can be done without."""
        known = {*self.values, *(mistake.key for mistake in self.mistakes)}
        for key in KEYS.values():
            if key.required and not known & {"", key.name}:
                text = f"{key.name} is missing; {key.variable} or {FLAGS[key.name]} on the command line would do too"
                yield Mistake(str(self.file or "settings"), text, key.name)

    def state_folder(self) -> Path | None:
        """Where the ledger is kept, if that is said; to those who ask it, mistakes in other keys do not matter.

        Raises:
            SettingsRefused: what is said is wrong.
        """
        require_none([mistake for mistake in self.mistakes if mistake.key in ("", "state.folder", "output.folder")])
        state, results = self.values["state.folder"].value, self.values.get("output.folder")
        return state or (beside(results.value) if results else None)


def require_none(mistakes: list[Mistake]) -> None:
    """Raises `SettingsRefused` that tells all of them, if there are any."""
    if mistakes:
        raise SettingsRefused(*map(str, mistakes))
