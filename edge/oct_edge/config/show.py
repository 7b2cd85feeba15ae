"""The settings in force, as a file that says the same, or as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oct_edge.config.keys import KEYS, Key
from oct_edge.config.loaded import Loaded


def toml_lines(loaded: Loaded, *, origins: bool = False) -> Iterator[str]:
    """A configuration file; what is not set is a comment, since TOML has no word for it."""
    section = ""
    for key in KEYS.values():
        if key.section != section:
            yield from ([""] if section else [])
            yield f"[{key.section}]"
            section = key.section
        yield _line(key, loaded, origins)


def as_json(loaded: Loaded, *, origins: bool = False) -> dict[str, dict[str, Any]]:
    """Sections of keys; with `origins` each value stands beside where it comes from."""
    content: dict[str, dict[str, Any]] = {key.section: {} for key in KEYS.values()}
    for key in KEYS.values():
        found = loaded.values.get(key.name)
        value = str(found.value) if found and isinstance(found.value, Path) else found and found.value
        origin = found.origin if found else None
        content[key.section][key.field] = {"value": value, "origin": origin} if origins else value
    return content


def toml_value(value: object) -> str:
    """The value as TOML spells it."""
    text = str(value) if isinstance(value, Path) else value
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(key: Key, loaded: Loaded, origins: bool) -> str:
    found = loaded.values.get(key.name)
    if found is None:
        return f"# {key.field} is missing"
    line = f"# {key.field} is not set" if found.value is None else f"{key.field} = {toml_value(found.value)}"
    return f"{line}  # {found.origin}" if origins else line
