"""Requests for other answers: left in the state folder by whoever asks, taken up by the one writer.

A request is a file, written whole and synced, so it waits for the next look of the daemon or for its next start. What
it leads to is written down in one transaction under the request's id; whoever finds the file again after that, since a
crash came before it was removed, finds the id too and does nothing.
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from oct_edge.errors import OutputUnavailable
from oct_edge.files import write_atomically
from oct_edge.ledger.query import Query
from oct_edge.result import utc_now

PATTERN = "regrade-*.json"


@dataclass(frozen=True)
class Request:
    """Contents to grade again: those that `query` finds, without `also_same` only if another model answered."""

    id: str
    query: Query
    also_same: bool

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Request":
        given = json.loads(text)
        return cls(**given | {"query": Query(**given["query"])})

    def mark(self) -> str:
        """The body of the events that it leads to."""
        return json.dumps({"request": self.id})


def new_request(query: Query, also_same: bool) -> Request:
    return Request(f"{utc_now()}-{secrets.token_hex(4)}", query, also_same)


def leave(folder: Path, request: Request) -> Path:
    """Make the request durable in the state folder, readable for the group that the folder belongs to.

    Raises:
        OutputUnavailable: it cannot be written there.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputUnavailable(
            f"{folder}: a request cannot be left there (permission denied).",
            hint="Ask as root or as the user of the service: the folder is theirs.",
        )
    path = folder / f"regrade-{request.id.replace(':', '')}.json"
    write_atomically(path, f"{request.to_json()}\n".encode())
    path.chmod(0o640)
    with suppress(PermissionError):
        os.chown(path, -1, folder.stat().st_gid)
    return path
