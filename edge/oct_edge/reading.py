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

PICTURES = (".jpeg", ".jpg", ".png")
VOLUMES = (".tiff", ".tif", ".dcm", ".dicom")
SUFFIXES = (*PICTURES, *VOLUMES)
MAX_BYTES = 64 * 2**20
MAX_VOLUME_BYTES = 256 * 2**20
_CHUNK = 1 << 20

TIFF = (b"II*\0", b"MM\0*", b"II+\0")  # Pillow reads no BigTIFF of the other byte order
DICOM, DICOM_AT = b"DICM", 128

_NAME_A_SCAN = "Name a scan, or a folder that holds some; --recursive looks into subfolders too."


def read_bytes(path: Path, *, volumes: bool = False) -> bytes:
    """All bytes of a regular file of at most `MAX_BYTES`; a FIFO or a device is refused without blocking on it.

    With `volumes`, a file that begins as a format of volumes does may have `MAX_VOLUME_BYTES`.
    """
    with _opened(path) as file:
        limit = _limit(file) if volumes else MAX_BYTES
        if os.fstat(file.fileno()).st_size > limit:
            raise _too_large(str(path), limit)
        return file.read()


def read_pipe(pipe: BufferedReader, name: str) -> bytes:
    """All bytes that come through a pipe, which is not asked for many more than a file may have."""
    try:
        limit, data = _limit(pipe), bytearray()
        while chunk := pipe.read(_CHUNK):
            data += chunk
            if len(data) > limit:
                raise _too_large(name, limit)
        return bytes(data)
    except (OSError, ValueError, MemoryError) as error:
        raise ScanUnreadable(f"{name}: cannot be read ({reason_of(error)}).") from error


def digest_of(path: Path) -> str:
    """SHA-256 of a regular file of any size, in hex."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _too_large(name: str, limit: int) -> ScanTooLarge:
    return ScanTooLarge(f"{name}: larger than {limit >> 20} MiB.")


def _limit(file: BufferedReader) -> int:
    start = file.peek(DICOM_AT + len(DICOM))
    is_volume = start.startswith(TIFF) or start[DICOM_AT:].startswith(DICOM)
    return MAX_VOLUME_BYTES if is_volume else MAX_BYTES


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
