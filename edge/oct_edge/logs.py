"""What a daemon says on stderr: lines for people or JSON objects, and not the same thing ten thousand times.

Of each kind of line so many are written in a minute; the rest are counted, and one line tells how many there were, so
that a bad stick full of files does not wear the card out. What is a kind its caller says by `extra={"kind": …}`, where
the text of the line does not say enough. Only our own lines are let through: a library's might name a scan.
"""

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from oct_edge.config.tree import Log
from oct_edge.errors import OctEdgeError

OURS = "oct_edge"
_LINES, _SECONDS = 20, 60.0  # of one kind, in so many seconds
_TEXT = "%(levelname)s %(name)s: %(message)s"
_BESIDES = ("kind", "hint", "held_back")  # what a JSON line carries besides, where its caller said it

Kind = tuple[str, int, str, str]
log = logging.getLogger("oct_edge.logs")


@dataclass
class _Window:
    """What was said of one kind since a moment; `first` is the first line that was held back."""

    since: float
    said: int = 0
    held: int = 0
    first: logging.LogRecord | None = None


class LimitedHandler(logging.StreamHandler):
    """Writes lines to stderr: at most `lines` of a kind in `seconds`, then how many more there were."""

    def __init__(self, lines: int = _LINES, seconds: float = _SECONDS, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(sys.stderr)
        self.addFilter(logging.Filter(OURS))
        self._lines, self._seconds, self._clock = lines, seconds, clock
        self._windows: dict[Kind, _Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.tell_held_back()
        kind = (record.name, record.levelno, str(record.msg), str(getattr(record, "kind", "")))
        window = self._windows.setdefault(kind, _Window(self._clock()))
        if window.said < self._lines:
            window.said += 1
            super().emit(record)
        else:
            window.held += 1
            window.first = window.first or record

    def tell_held_back(self, *, whole_minutes: bool = True) -> None:
        """Write how many lines were held back in each minute that is over, or until now."""
        now = self._clock()
        for kind, window in list(self._windows.items()):
            if not whole_minutes or now - window.since >= self._seconds:
                del self._windows[kind]
                if window.first:
                    super().emit(_summary(window.first, window.held))

    def close(self) -> None:
        self.tell_held_back(whole_minutes=False)
        super().close()


class JsonFormatter(logging.Formatter):
    """One object a line: time in UTC, level, logger, message, and what the line carries besides."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        content = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= {name: vars(record)[name] for name in _BESIDES if name in vars(record)}
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return json.dumps(content)


def set_up(settings: Log) -> LimitedHandler:
    """Say from now on what the settings want; called again, it changes that and keeps the counts."""
    handler = _handler()
    if handler is None:
        handler = LimitedHandler()
        logging.getLogger().addHandler(handler)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else logging.Formatter(_TEXT))
    logging.getLogger(OURS).setLevel(settings.level.upper())
    return handler


def told(error: OctEdgeError) -> bool:
    """Say as a line of the log what ends the daemon; False where lines are for people, whom the command tells."""
    handler = _handler()
    if handler is None or not isinstance(handler.formatter, JsonFormatter):
        return False
    for message in error.messages():
        log.error("%s", message, extra={"kind": error.code, "hint": error.hint})
    return True


def _handler() -> LimitedHandler | None:
    return next((known for known in logging.getLogger().handlers if isinstance(known, LimitedHandler)), None)


def _summary(first: logging.LogRecord, held: int) -> logging.LogRecord:
    """The line itself where it is the only one."""
    if held == 1:
        return first
    text = "%d more lines like this one were held back: %s"
    summary = logging.LogRecord(first.name, first.levelno, "", 0, text, (held, first.getMessage()), None)
    vars(summary).update(held_back=held, **{name: vars(first)[name] for name in _BESIDES if name in vars(first)})
    return summary
