"""JSON of unknown shape as facts and tables: how a card's entries are shown where nothing is known of them but JSON."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oct_converters.inspection.document import Block, Facts, Table
from oct_edge.catalogue import with_interval

Json = Mapping[str, Any]


def is_figure(value: Any) -> bool:
    """A figure with its interval: `value`, `low`, `high`, each a number or null."""
    return (
        isinstance(value, Mapping)
        and value.keys() == {"value", "low", "high"}
        and all(part is None or isinstance(part, int | float) for part in value.values())
    )


def outline(entries: Json) -> Iterator[Block]:
    """Every entry with its path of keys; a table where all entries are objects of the same keys."""
    parts = list(entries.values())
    if len(parts) > 1 and all(isinstance(part, Mapping) and part.keys() == parts[0].keys() for part in parts):
        yield grid("", entries)
    elif entries:
        yield facts(entries)


def facts(entries: Json) -> Facts:
    """One fact an entry; nested objects in one line as long as they hold nothing but plain values."""
    return Facts(tuple((name, cell(value)) for name, value in flat(entries, _fits_a_line).items()))


def grid(corner: str, columns: Mapping[str, Json]) -> Table:
    """One column an entry, one row a path of keys; what one of them lacks is left blank."""
    flattened = {name: flat(column) for name, column in columns.items()}
    paths = dict.fromkeys(path for column in flattened.values() for path in column)
    rows = tuple(
        (path, *(cell(column[path]) if path in column else "" for column in flattened.values())) for path in paths
    )
    return Table((corner, *(words(name) for name in columns)), rows)


def flat(entries: Json, whole: Callable[[Json], bool] = is_figure) -> dict[str, Any]:
    """Nested objects as one, their keys joined, but for those that stay `whole`."""
    found: dict[str, Any] = {}
    for key, value in entries.items():
        if isinstance(value, Mapping) and value and not whole(value):
            found |= {f"{words(key)}, {path}": part for path, part in flat(value, whole).items()}
        else:
            found[words(key)] = value
    return found


def cell(value: Any) -> str:
    """A value in a few words."""
    if is_figure(value):
        return with_interval(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{words(name)} {cell(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)


def words(key: str) -> str:
    return str(key).replace("_", " ")


def _fits_a_line(entries: Json) -> bool:
    return is_figure(entries) or not any(isinstance(value, Mapping | list) for value in entries.values())
