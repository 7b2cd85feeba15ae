"""What a scan is called once it was taken: as its file, or by a pseudonym, because a file may be named after a patient.

A pseudonym is made at the door, so nothing behind it (worker, ledger, results, notes, log) ever holds the name. It is
an HMAC-SHA-256 with a key that this device drew for itself: the same name has the same pseudonym for as long as the key
lives, and nobody without the key can try out names. The key is no part of any export.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from oct_edge.errors import ConfigurationError
from oct_edge.files import sync_folder, unwritable

Names = Literal["plain", "hashed"]
NAMES: tuple[Names, ...] = get_args(Names)
Naming = Callable[[str], str]

KEY = "names.key"
_KEY_BYTES = 32
_DIGITS = 16


def naming(names: Names, state: Path) -> Naming:
    """What turns file names into names; for `hashed` with the key in `state`, which is made if there is none.

    Raises:
        ConfigurationError: the key is there and cannot be used.
        OutputUnavailable: it cannot be made.
    """
    if names == "plain":
        return str
    return _hashed_with(_key_in(state))


def known_naming(state: Path) -> Naming:
    """What a file was called by the process that keeps its ledger in `state`, as far as that may be read."""
    with suppress(OSError, ConfigurationError):
        return _hashed_with(_read(state / KEY))
    return str


def _hashed_with(key: bytes) -> Naming:
    def pseudonym(name: str) -> str:
        digest = hmac.new(key, os.fsencode(name), hashlib.sha256).hexdigest()
        return digest[:_DIGITS] + Path(name).suffix.lower()

    return pseudonym


def _key_in(state: Path) -> bytes:
    path = state / KEY
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}).", hint="Let this user read it, or name another --state."
        ) from error
    partial = path.with_suffix(".partial")
    try:
        state.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(state)
    except OSError as error:
        raise unwritable(f"{path}: cannot be written", error) from error
    return _read(path)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            f"{path}: not a key for names.", hint="Remove it: names get other pseudonyms from then on."
        )
    return key
