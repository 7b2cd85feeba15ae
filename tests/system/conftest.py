"""A watching daemon in a place of its own."""

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import jsonschema
import pytest

from oct_edge.bundle import CARD, pack
from oct_edge.health import HEALTH
from oct_edge.ledger.chain import COLUMNS, verify
from oct_edge.ledger.checkpoint import last_checkpoint, verify_known
from oct_edge.ledger.schema import FINAL
from oct_edge.ledger.store import LEDGER
from oct_edge.result import json_schema
from oct_models import DEFAULT, bundled_models

COMMAND = Path(sys.executable).parent / "oct-edge"
SCHEMA = jsonschema.Draft202012Validator(json_schema())


class Daemon:
    """An inbox, an output folder and the process that watches; stdout and stderr are files, which hold nobody up."""

    stable = 0.5
    # Root without the right to read everything; anyone else has not got it anyway.
    plain_user = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox, self.output = folder, folder / "inbox", folder / "results"
        self.state = folder / "results.state"
        self.inbox.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: object, under: tuple[object, ...] = (), stable: float = stable) -> None:
        """Start it and wait until it watches or has ended."""
        command = [*under, COMMAND, "watch", self.inbox, "--output", self.output, "--threads", 1]
        command += ["--stable", stable, "--interval", 0.05, *options]
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(map(str, command), stdout=out, stderr=err, start_new_session=True)
        self.until(lambda: "watching" in self.log() or self.process.poll() is not None)

    def end(self, number: int | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def once(self, *options: object, under: tuple[object, ...] = (), stable: float = stable) -> int:
        self.start("--once", *options, under=under, stable=stable)
        return self.end()

    def under_strace(self, *options: str) -> tuple[object, ...]:
        """What to start it under, so that `folder/trace` tells its system calls."""
        if not shutil.which("strace"):
            pytest.skip("needs strace")
        return ("strace", "-f", "-y", "-o", self.folder / "trace", *options)

    def degraded(self) -> list[str]:
        """Why it says that it does less than it should, whatever the clock and the board of this machine are like."""
        path = self.state / HEALTH
        reasons = json.loads(path.read_text())["reasons"] if path.exists() else {}
        return [code for code in reasons if code not in ("clock_unsynced", "undervoltage", "throttled")]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def log(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def printed(self) -> list[dict]:
        """Every whole line on stdout so far."""
        lines = (self.folder / "stdout").read_bytes().decode().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def stored(self) -> list[dict]:
        """Every file in the output folder, each of them one valid result; while it runs, every visible one."""
        pattern = "*" if self.process.poll() is not None else "[!.]*"
        results = [json.loads(path.read_text(encoding="utf-8")) for path in self.output.glob(pattern)]
        for result in results:
            SCHEMA.validate(result)
        return results

    def worker(self) -> int:
        """The process that decodes and grades for it."""
        main = self.process.pid
        return int(Path(f"/proc/{main}/task/{main}/children").read_text().split()[0])

    def states(self) -> dict[str, str]:
        """Digest to state of every content in the ledger, whose history must be whole.

        A content has one answer, and one more for each time that another was asked for.
        """
        connection = sqlite3.connect(f"file:{self.state / LEDGER}?mode=ro", uri=True)
        with closing(connection):
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            events = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq")
            verify(events, last_checkpoint(connection).head)
            verify_known(connection)
            kinds = f"sum(kind = 'pending'), sum(kind IN {FINAL}), sum(kind = 'regrade')"
            counted = f"SELECT {kinds} FROM events WHERE scan <> '' GROUP BY scan"
            for pending, answers, asked in connection.execute(counted):
                assert pending <= 1
                assert answers <= 1 + asked
            return dict(connection.execute("SELECT scan, state FROM scans"))

    def put(self, contents: Iterable[bytes]) -> None:
        for i, content in enumerate(contents):
            (self.inbox / f"{i}.jpeg").write_bytes(content)

    def answers(self, results: list[dict], contents: Iterable[bytes]) -> bool:
        """Whether the results are one for each distinct content and nothing else."""
        asked = {hashlib.sha256(content).hexdigest() for content in contents}
        return Counter(result["source"]["sha256"] for result in results) == Counter(asked)

    def lost_nothing(self, contents: Iterable[bytes]) -> bool:
        """Whether, now that it has ended, each content has one final state and one result, which is what was told.

        And that all lie in the inbox as they were put there, and none of them is named in the log.
        """
        contents, stored = list(contents), self.stored()
        names = [path.name for path in self.inbox.iterdir()]
        assert not [name for name in names if name in self.log()]
        assert {(self.inbox / name).read_bytes() for name in names} == set(contents)
        assert all(result in stored for result in self.printed())
        assert Counter(self.states().values()) == Counter(result["status"] for result in stored)
        return self.answers(stored, contents)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process and daemon.process.poll() is None:
        os.killpg(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait()


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """The default model under another name, so with another digest."""
    content = bundled_models()[DEFAULT].read_bytes()
    with zipfile.ZipFile(BytesIO(content)) as tail:
        card = json.loads(tail.read(CARD))
        files = {name: tail.read(name) for name in tail.namelist() if name.endswith((".png", ".npz"))}
    path = tmp_path / "other.tflite"
    path.write_bytes(pack(content[: card["tflite"]["bytes"]], card | {"name": "other"}, files))
    return path


@pytest.fixture
def distinct(samples: list[Path]) -> Callable[[int], list[bytes]]:
    """So many contents: a decoder does not look behind the end of a JPEG."""
    return lambda count: [samples[i % len(samples)].read_bytes() + b"%d" % i for i in range(count)]


@pytest.fixture
def disk() -> Iterator[Callable[[Path, str], None]]:
    """Mount a disk of so many bytes ("16k") on a folder."""
    mounted: list[Path] = []

    def mount(folder: Path, size: str) -> None:
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("needs root and the right to mount a tmpfs")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
