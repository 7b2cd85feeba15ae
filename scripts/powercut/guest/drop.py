"""Drop scans into the inbox for as long as there is power: in small bursts, and never far ahead of the answers.

On stdout, a serial port, goes `put NAME` before a scan is written, and `kept NAME` when it was synced and will be there
for ever.
"""

import os
import sys
import time
from itertools import count
from pathlib import Path
from random import Random

from powercut.scans import content_of, is_copy, is_synced, name_of

AHEAD = 6  # scans that may wait for their answer


def main(inbox: Path, results: Path, cycle: int) -> None:
    random = Random(cycle)
    asked: set[str] = set()
    burst = 0
    for number in count():
        name = name_of(cycle, number)
        drop(inbox, name, synced=is_synced(number))
        if not is_copy(number):
            asked.add(Path(name).stem)
        burst = (burst or random.randint(1, 4)) - 1
        if not burst:
            time.sleep(random.uniform(0, 3))
        while len(asked - {path.name.split(".")[0] for path in results.glob("[!.]*")}) > AHEAD:
            time.sleep(0.3)


def drop(inbox: Path, name: str, *, synced: bool) -> None:
    print(f"put {name}", flush=True)
    content = content_of(name)
    if not synced:
        (inbox / name).write_bytes(content)
        return
    with (inbox / f".{name}.part").open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    (inbox / f".{name}.part").rename(inbox / name)
    folder = os.open(inbox, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    print(f"kept {name}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
