"""What the device has seen and said, for years: one SQLite file to which events are only ever added.

`store.Ledger` is the one writer, `reading` answers questions beside it, `chain` says whether history was altered.
"""
