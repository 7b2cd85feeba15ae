"""The settings in force of a daemon that runs: what SIGHUP may change, and what has to wait for the next start."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from oct_edge.config.keys import KEYS, Key
from oct_edge.config.tree import Config
from oct_edge.errors import ConfigurationError

log = logging.getLogger("oct_edge.config")


class Live:
    """`config` is what holds; `read` gives what the file, the variables and the flags say now."""

    def __init__(self, config: Config, read: Callable[[], Config]) -> None:
        self.config = config
        self._read = read

    def reload(self) -> None:
        """Read again, take what may change, and say so; settings that are wrong change nothing."""
        try:
            new = self._read()
        except ConfigurationError as error:
            for message in error.messages():
                log.error("the new settings are refused, the old ones stay: %s", message)
            return
        old = self.config
        self.config, waiting = reloaded(old, new)
        for key in KEYS.values():
            if value_of(old, key) != value_of(self.config, key):
                log.info("%s is %s now, it was %s", key.name, _said(self.config, key), _said(old, key))
        for name in waiting:
            log.warning("%s stays %s until the next start", name, _said(old, KEYS[name]))
        if new == old:
            log.info("the settings were read again and are the same")


def reloaded(old: Config, new: Config) -> tuple[Config, list[str]]:
    """`old` with all of `new` that may change in a running daemon, and the names of the keys that have to wait."""
    waiting = []
    config = old
    for key in KEYS.values():
        value = value_of(new, key)
        if value == value_of(old, key):
            continue
        if key.about.live:
            section = replace(getattr(config, key.section), **{key.field: value})
            config = replace(config, **{key.section: section})
        else:
            waiting.append(key.name)
    return config, waiting


def value_of(config: Config, key: Key) -> Any:
    return getattr(getattr(config, key.section), key.field)


def _said(config: Config, key: Key) -> str:
    value = value_of(config, key)
    return "not set" if value is None else str(value)
