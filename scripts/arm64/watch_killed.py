"""The watching daemon as a device runs it, killed without notice once and started again: every sample answered once.

Takes the path of the `oct-edge` command; run inside an emulated root, where the tests' own tools are not installed.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from oct_models import sample_scans

PATIENCE = 300  # seconds for the first answer, under emulation on a busy machine


def main(command: str) -> int:
    with TemporaryDirectory() as folder:
        inbox, results = Path(folder, "inbox"), Path(folder, "results")
        inbox.mkdir()
        scans = [Path(shutil.copy(path, inbox)) for path in sample_scans()]
        watch = [sys.executable, command, "watch", str(inbox), "--output", str(results), "--stable", "0.1"]
        before = _kill_after_the_first_answer(watch, results)
        subprocess.run([*watch, "--once"], check=True, stdout=subprocess.DEVNULL)
        digests = [json.loads(path.read_text(encoding="utf-8"))["source"]["sha256"] for path in _answers(results)]
        expected = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in scans)
    print(f"watch: {before} of {len(scans)} answers before SIGKILL, {len(digests)} in the end")
    return 0 if Counter(digests) == expected and 0 < before < len(scans) else 1


def _kill_after_the_first_answer(watch: list[str], results: Path) -> int:
    """How many answers there were when it was killed."""
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(watch, stdout=subprocess.DEVNULL) as daemon:
        while not _answers(results) and daemon.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        daemon.kill()
    return len(_answers(results))


def _answers(results: Path) -> list[Path]:
    return sorted(results.glob("[!.]*.json"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
