"""The example file and the page name every key, with the defaults and meanings of the tree."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct_edge.config.keys import KEYS, Key
from oct_edge.config.load import Sources
from oct_edge.config.show import toml_value

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "systemd" / "oct-edge.toml"


def documented() -> Iterator[tuple[str, str, bool, str]]:
    """Name, value, whether it stands behind a #, and meaning of each key of the example, in its order."""
    section = ""
    for block in EXAMPLE.read_text().split("\n\n")[1:]:
        lines = block.strip().splitlines()
        if found := re.fullmatch(r"\[(\w+)\]", lines[0]):
            section, lines = found[1], lines[1:]
        *comment, line = lines
        setting = re.fullmatch(r"(# )?(\w+) = (.+)", line)
        assert setting, line
        meaning = " ".join(words.removeprefix("# ") for words in comment)
        yield f"{section}.{setting[2]}", setting[3], bool(setting[1]), meaning


def test_the_example_names_every_key_in_order_with_its_meaning() -> None:
    assert [(name, meaning) for name, _, _, meaning in documented()] == [
        (key.name, key.about.meaning + (f" ({', '.join(key.choices)})" if len(key.choices) > 1 else ""))
        for key in KEYS.values()
    ]


def test_what_is_behind_a_mark_in_the_example_is_the_default_or_would_be_right() -> None:
    for name, text, marked, _ in documented():
        key = KEYS[name]
        assert marked == (not key.required and name != "state.folder"), name
        assert key.of_file(tomllib.loads(f"x = {text}")["x"]) is not None
        if marked and key.default is not None:
            assert text == toml_value(key.default), name


def test_the_example_is_right_as_it_is_and_without_its_marks(tmp_path: Path) -> None:
    for content in (EXAMPLE.read_text(), re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)):
        path = tmp_path / "oct-edge.toml"
        path.write_text(content)
        config = Sources(file=path, environ={}).load().config()
    assert config.retention.days


def row(key: Key) -> str:
    """The line that the page has to have for this key."""
    values = ", ".join(f"`{choice}`" for choice in (("true", "false") if key.kind is bool else key.choices))
    if not values:
        values = "path" if key.kind is Path else key.about.range() if key.kind in (int, float) else "text"
    default = "has to be set" if key.required else "" if key.default is None else f"`{toml_value(key.default)}`"
    cells = f"`{key.name}`", values, default, "yes" if key.about.live else "", key.about.meaning
    return " | ".join(("", *cells, "")).strip().replace("|  |", "| |")


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_the_page_has_a_line_for_each_key(key: Key) -> None:
    assert row(key) in (ROOT / "docs" / "configure.md").read_text().splitlines()
