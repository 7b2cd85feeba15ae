"""Results as files, for people and programs that ask no ledger.

`export.Exports` writes them all: one JSON file a content, lines in files that only grow (`lines`, `columns`), and what
is kept of scans without an answer (`quarantine`). How far it came the ledger knows.
"""

from oct_edge.exports.export import Exports

__all__ = ["Exports"]
