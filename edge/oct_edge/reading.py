"""The bytes of a file, read once and as a whole, without a decoder in the process.

The watching daemon reads and hashes; what decodes, with numpy and Pillow, lives in the worker.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from oct_edge.errors import ScanNotFound, ScanTooLarge, ScanUnreadable

SUFFIXES = (".jpeg", ".jpg", ".png")
MAX_BYTES = 64 * 2**20

_NAME_A_SCAN = "Name a scan, or a folder that holds some; --recursive looks into subfolders too."


def read_bytes(path: Path) -> bytes:
    """All bytes of a regular file of at most `MAX_BYTES`; a FIFO or a device is refused without blocking on it."""
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise ScanTooLarge(f"{path}: larger than {MAX_BYTES >> 20} MiB.")
        return file.read()


def digest_of(path: Path) -> str:
    """SHA-256 of a regular file of any size, in hex."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ScanUnreadable(f"{path}: not a regular file.", hint=_NAME_A_SCAN)
            yield file
    except FileNotFoundError as error:
        raise ScanNotFound(f"{path}: there is no such file.") from error
    except IsADirectoryError as error:
        raise ScanUnreadable(f"{path}: a folder, not a scan.", hint=_NAME_A_SCAN) from error
    except (OSError, ValueError, MemoryError) as error:
        raise ScanUnreadable(f"{path}: cannot be read ({reason_of(error)}).") from error


def reason_of(error: BaseException) -> str:
    """What an error says, short and in lower case where the system says it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).split("\n")[0][:120] or type(error).__name__
