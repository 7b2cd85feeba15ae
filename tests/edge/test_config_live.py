"""What a running daemon takes over from settings that are read again."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oct_edge.config.keys import KEYS, Key
from oct_edge.config.live import Live, reloaded, value_of
from oct_edge.config.tree import Config, Output, Source
from oct_edge.errors import SettingsRefused

OLD = Config(source=Source(inbox=Path("/scans")), output=Output(folder=Path("/results")))
LIVE = {
    *("source.stable", "source.interval", "source.give_up", "quarantine.mode"),
    *("retention.days", "retention.results", "log.format", "log.level"),
}


def changed(config: Config, name: str, value: object) -> Config:
    section, field = name.split(".")
    return replace(config, **{section: replace(getattr(config, section), **{field: value})})


def other(key: Key) -> Any:
    """A value that is not the one of `OLD`."""
    if key.choices:
        return key.choices[-1] if value_of(OLD, key) != key.choices[-1] else key.choices[0]
    return {str: "compact-int8", Path: Path("/other"), int: 7, float: 7.0, bool: True}[key.kind]


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.name != "source.kind"], ids=lambda key: key.name)
def test_each_key_is_taken_over_or_waits_for_the_next_start(key: Key) -> None:
    new = changed(OLD, key.name, other(key))
    assert reloaded(OLD, new) == ((new, []) if key.name in LIVE else (OLD, [key.name]))


def test_what_may_change_is_taken_over_though_something_else_has_to_wait() -> None:
    half = changed(changed(OLD, "source.interval", 9.0), "log.level", "debug")
    assert reloaded(OLD, changed(half, "source.inbox", Path("/other"))) == (half, ["source.inbox"])


def said(caplog: pytest.LogCaptureFixture, live: Live) -> list[tuple[str, str]]:
    caplog.clear()
    with caplog.at_level(logging.INFO, "oct_edge"):
        live.reload()
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_every_change_is_told_and_what_waits_is_told_each_time(caplog: pytest.LogCaptureFixture) -> None:
    wanted = changed(changed(OLD, "source.interval", 9.0), "retention.days", 30)
    live = Live(OLD, lambda: changed(wanted, "output.folder", Path("/other")))
    waits = ("WARNING", "output.folder stays /results until the next start")
    assert said(caplog, live) == [
        ("INFO", "source.interval is 9.0 now, it was 1.0"),
        ("INFO", "retention.days is 30 now, it was not set"),
        waits,
    ]
    assert live.config == wanted
    assert said(caplog, live) == [waits]


def test_nothing_new_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, Live(OLD, lambda: OLD)) == [("INFO", "the settings were read again and are the same")]


def test_settings_that_are_wrong_change_nothing_and_every_mistake_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> Config:
        raise SettingsRefused("file:1: this", "file:2: that")

    live = Live(OLD, refuse)
    assert said(caplog, live) == [
        ("ERROR", f"the new settings are refused, the old ones stay: file:{line}") for line in ("1: this", "2: that")
    ]
    assert live.config is OLD
