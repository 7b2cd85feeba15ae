"""`oct-edge` with one of its promises broken, so that the harness can show that it would notice.

    python -m powercut.guest.mutant NAME watch INBOX ...

The mutants that need no change of the code, `no-sync` and `no-barrier`, are made in `init`.
"""

import sys
from pathlib import Path

from oct_edge import cli, files
from oct_edge.ledger.store import Ledger


def no_folder_sync() -> None:
    """A result file has its name, and nobody made sure that the folder keeps it."""
    files._sync_folder = lambda folder: None


def no_commit_sync() -> None:
    """The ledger is written in the right order, but a commit does not wait for the disk."""
    opened = Ledger.__init__

    def init(self: Ledger, folder: Path) -> None:
        opened(self, folder)
        self._open().execute("PRAGMA synchronous = NORMAL")

    Ledger.__init__ = init  # type: ignore[method-assign]


MUTANTS = {"no-folder-sync": no_folder_sync, "no-commit-sync": no_commit_sync}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    cli.main()
