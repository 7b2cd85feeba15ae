"""Other answers on request: who is asked for, where the bytes come from, and what is said of those that are gone.

Contents are looked for where scans always come from, the inbox, by content. Until one is found it keeps its answer,
and when it comes back one day, it still gets the other one.
"""

import logging
from contextlib import suppress
from pathlib import Path

from oct_edge.ledger.request import PATTERN, Request
from oct_edge.ledger.store import Ledger
from oct_edge.result import ModelIdentity

log = logging.getLogger("oct_edge.regrade")


class Regrading:
    """The requests in the ledger's folder, as the process that grades with `model` deals with them."""

    def __init__(self, ledger: Ledger, model: ModelIdentity) -> None:
        self._ledger, self._model = ledger, model
        self._refused: set[Path] = set()
        self._looking = self._unread = bool(ledger.waiting()[1])

    def take_up(self) -> set[str]:
        """Take up what was left since the last look; names under which contents are that are now to be read again.

        Raises:
            OutputUnavailable: a request cannot be written down; it stays.
        """
        for path in sorted(self._ledger.folder.glob(PATTERN)):
            request = self._read(path)
            if request is not None:
                with self._ledger.batch() as batch:
                    contents = batch.asked(request, self._model.sha256)
                with suppress(OSError):  # known by its id until it can be removed
                    path.unlink()
                log.info("request %s: %d contents are to be graded again", request.id, contents)
                self._looking = self._unread = self._looking or contents > 0
        names = self._ledger.names_of_waiting() if self._unread else set()
        self._unread = False
        return names

    def looked(self) -> None:
        """Everything in the inbox was read since the last request: what still waits is not there."""
        if self._looking:
            with self._ledger.batch() as batch:
                batch.looked()
            self._looking = False
            missing = self._ledger.waiting()[0]
            if missing:
                log.warning("contents to be graded again that are not in the inbox and keep their answers: %d", missing)

    def _read(self, path: Path) -> Request | None:
        try:
            return Request.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            if path not in self._refused:
                self._refused.add(path)
                log.warning("%s: is passed over (%s)", path.name, type(error).__name__)
            return None
