"""What is dropped into the inbox, known to the guest that drops it and to the host that checks what came of it.

Every scan of every cycle is another content; each fifth is the one before under a second name, and each seventh is cut
off in the middle, so that it is rejected. Each second is synced by whoever copies it, as a careful upload does; the
others are not, as with `cp`.
"""

from pathlib import Path

from oct_models import sample_scans


def name_of(cycle: int, number: int) -> str:
    return f"scan-{cycle:03}-{number:03}.jpeg"


def content_of(name: str) -> bytes:
    """The bytes that belong to a name. A decoder does not look behind the end of a JPEG."""
    cycle, number = (int(part) for part in Path(name).stem.split("-")[1:])
    if is_copy(number):
        return content_of(name_of(cycle, number - 1))
    samples = sample_scans()
    picture = samples[number % len(samples)].read_bytes()
    if number % 7 == 3:
        picture = picture[: len(picture) // 2]
    return picture + f"{cycle}-{number}".encode()


def is_copy(number: int) -> bool:
    return number % 5 == 4


def is_synced(number: int) -> bool:
    return number % 2 == 0
