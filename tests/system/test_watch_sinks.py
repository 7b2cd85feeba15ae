"""`oct-edge watch` with files of lines and a quarantine: each result once in each, whatever ends the process."""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from oct_edge.exports.columns import COLUMNS
from oct_edge.exports.folders import name_for

pytestmark = pytest.mark.system

Distinct = Callable[[int], list[bytes]]
LEDGER_PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


class Sinks:
    """A daemon that writes to all of them, and what stands there."""

    def __init__(self, daemon: Any) -> None:
        self.daemon = daemon
        self.lines = daemon.folder / "lines"
        self.lines.mkdir()
        self.jsonl, self.csv = self.lines / "all.jsonl", self.lines / "all.csv"
        self.quarantine = daemon.state / "quarantine"
        self.options = ("--jsonl", self.jsonl, "--csv", self.csv, "--quarantine", "copy")

    def json_lines(self) -> list[dict]:
        """Of the file and of those that were moved away, each of which has to be whole."""
        text = "".join(path.read_text() for path in sorted(self.lines.glob("all.jsonl*")))
        assert text == "" or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def rows(self) -> list[dict[str, str]]:
        found = []
        for path in sorted(self.lines.glob("all.csv*")):
            text = path.read_bytes().decode()
            assert text == "" or text.endswith("\r\n")
            reader = csv.DictReader(StringIO(text, newline=""), strict=True)
            assert tuple(reader.fieldnames or COLUMNS) == COLUMNS
            found += list(reader)
        return found

    def agree(self, contents: list[bytes]) -> bool:
        """Whether each content is one file, one line in each kind of file, and kept if it has no answer."""
        stored = {result["source"]["sha256"]: result for result in self.daemon.stored()}
        lines, rows = self.json_lines(), self.rows()
        assert self.daemon.answers(lines, contents)
        assert {line["source"]["sha256"]: line for line in lines} == stored
        assert Counter(row["sha256"] for row in rows) == Counter(list(stored))
        rejected = sorted(digest for digest, result in stored.items() if result["status"] == "rejected")
        kept = [path for path in self.quarantine.iterdir() if not path.name.endswith(".reason.json")]
        assert sorted(sha256(path.read_bytes()).hexdigest() for path in kept) == rejected
        notes = [json.loads(path.read_text()) for path in self.quarantine.glob("*.reason.json")]
        assert sorted((note["sha256"], note["kept"], note["remark"]) for note in notes) == [
            (digest, "copy", "") for digest in rejected
        ]
        return True


@pytest.fixture
def sinks(daemon: Any) -> Sinks:
    return Sinks(daemon)


@pytest.fixture
def mixed(distinct: Distinct) -> Callable[[int], list[bytes]]:
    """So many contents, of which every fourth is no picture."""
    return lambda count: [content[: 3000 + i] if i % 4 == 0 else content for i, content in enumerate(distinct(count))]


_STEPS = ["write of all.csv", "rename of copy", "fdatasync of all.jsonl", "fdatasync of all.csv"]
_NIGHTLY = ["fsync of lines", "ftruncate of all.jsonl", "write of all.jsonl", "fsync of copy", "fsync of result"]
_NIGHTLY += ["fsync of note", "rename of result", "rename of note", "fsync of results", "fsync of quarantine"]


@pytest.mark.parametrize("step", [*_STEPS, *(pytest.param(step, marks=pytest.mark.nightly) for step in _NIGHTLY)])
def test_a_kill_at_any_step_of_exporting_leaves_each_result_once_after_a_restart(
    sinks: Sinks, mixed: Distinct, step: str
) -> None:
    """What was not synced by then is cut off, as a power failure may do it."""
    contents = mixed(3)
    sinks.daemon.put(contents)
    sinks.jsonl.write_bytes(b'{"schema": "oct-edge/result@1", "time": "20')
    name = name_for("0.jpeg", sha256(contents[0]).hexdigest())
    call, target = step.split(" of ")
    path = {
        "all.jsonl": sinks.jsonl,
        "all.csv": sinks.csv,
        "lines": sinks.lines,
        "copy": sinks.quarantine / f".{name}.jpeg.partial",
        "note": sinks.quarantine / f".{name}.reason.json.partial",
        "quarantine": sinks.quarantine,
        "result": sinks.daemon.output / f".{name}.json.partial",
        "results": sinks.daemon.output,
    }[target]
    kill = ("-P", path, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when=1")
    under = sinks.daemon.under_strace(*map(str, kill))
    assert sinks.daemon.once(*sinks.options, under=under, stable=0) == -signal.SIGKILL
    assert sinks.daemon.printed() == []
    for file in (sinks.jsonl, sinks.csv):
        if call == "fdatasync" and file.exists():
            os.truncate(file, file.stat().st_size * 2 // 3)
    assert sinks.daemon.once(*sinks.options, stable=0) in (0, 1)
    assert sinks.agree(contents)


class Follower(threading.Thread):
    """A reader that takes whole lines as they come, of each file that is or was called all.jsonl."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.lines: list[dict] = []
        self._folder = folder
        self._read: dict[int, int] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.002):
            self._look()

    def end(self) -> list[dict]:
        self._ended.set()
        self.join()
        self._look()
        return self.lines

    def _look(self) -> None:
        for path in self._folder.glob("all.jsonl*"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue  # moved away meanwhile
            with file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self._read.get(inode, 0))
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read[inode] = self._read.get(inode, 0) + len(whole)
            self.lines += [json.loads(line) for line in whole.splitlines()]


def _kill_again_and_again(sinks: Sinks, contents: list[bytes], cycles: int) -> None:
    chance = random.Random(5)
    follower = Follower(sinks.lines)
    follower.start()
    for cycle in range(cycles):
        for i in range(cycle, len(contents), cycles):
            (sinks.daemon.inbox / f"{i}.jpeg").write_bytes(contents[i])
        sinks.daemon.start(*sinks.options, stable=0)
        time.sleep(chance.uniform(0, 0.5))
        if chance.random() < 0.5:
            for file in (sinks.jsonl, sinks.csv):
                if file.exists():
                    file.rename(f"{file}.{cycle:03}")
            time.sleep(chance.uniform(0, 0.2))
        sinks.daemon.end(signal.SIGKILL)
    assert sinks.daemon.once(*sinks.options, stable=0) in (0, 1)
    assert sinks.agree(contents)
    assert Counter(map(json.dumps, follower.end())) == Counter(map(json.dumps, sinks.json_lines()))


def test_kills_and_rotations_at_random_moments_show_a_reader_each_line_once(sinks: Sinks, mixed: Distinct) -> None:
    _kill_again_and_again(sinks, mixed(40), 5)


@pytest.mark.nightly
def test_a_hundred_kills_and_rotations_show_a_reader_each_line_once(sinks: Sinks, mixed: Distinct) -> None:
    _kill_again_and_again(sinks, mixed(800), 100)


def test_a_result_is_printed_only_when_its_lines_are_on_the_disk(sinks: Sinks, distinct: Distinct) -> None:
    sinks.daemon.put(distinct(1))
    calls = ("-e", "trace=fsync,fdatasync,write")
    assert sinks.daemon.once(*sinks.options, under=sinks.daemon.under_strace(*calls), stable=0) == 0
    trace = (sinks.daemon.folder / "trace").read_text()
    printed = trace.index('"{\\"schema\\"', trace.index(f" write(1<{sinks.daemon.folder}/stdout>"))
    commit = trace[:printed].rindex("-wal>) = 0")
    for file in (sinks.jsonl, sinks.csv):
        write = re.search(rf" write\((\d+<{re.escape(str(file))}>), ", trace)
        assert commit < write.start() < trace.index(f" fdatasync({write[1]}) = 0") < printed


@pytest.mark.parametrize("file", ["all.jsonl", "all.csv"])
def test_a_failing_sync_of_lines_is_never_acknowledged_and_repaired_by_a_restart(
    sinks: Sinks, mixed: Distinct, file: str
) -> None:
    contents = mixed(5)
    sinks.daemon.put(contents)
    fail = ("-P", str(sinks.lines / file), "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1")
    assert sinks.daemon.once(*sinks.options, under=sinks.daemon.under_strace(*fail), stable=0) == 69
    assert "[output_unavailable]" in sinks.daemon.log()
    assert sinks.daemon.printed() == []
    assert sinks.daemon.once(*sinks.options, stable=0) in (0, 1)
    assert sinks.agree(contents)


def test_a_full_disk_of_lines_is_waited_for_and_no_line_is_lost_or_doubled(
    sinks: Sinks, mixed: Distinct, disk: Callable[[Path, str], None]
) -> None:
    disk(sinks.lines, "40k")
    contents = mixed(60)
    sinks.daemon.put(contents)
    sinks.daemon.start(*sinks.options, stable=0)
    sinks.daemon.until(lambda: "disk_full" in sinks.daemon.degraded())
    subprocess.run(["mount", "-o", "remount,size=16m", str(sinks.lines)], check=True)
    sinks.daemon.until(lambda: len(sinks.daemon.stored()) == len(contents), seconds=60)
    assert sinks.daemon.end(signal.SIGTERM) == 0
    assert sinks.agree(contents)


def test_a_consumer_may_take_everything_away_as_it_comes(sinks: Sinks, mixed: Distinct) -> None:
    contents = mixed(120)
    sinks.daemon.put(contents)
    taken, ended = sinks.daemon.folder / "taken", threading.Event()
    taken.mkdir()

    def take() -> None:
        """Moves results and lines away, and deletes notes and copies."""
        moved = 0
        while not ended.is_set():
            for path in sinks.daemon.output.glob("[!.]*.json"):
                path.rename(taken / path.name)
            for path in sinks.quarantine.glob("[!.]*"):
                path.unlink()
            for file in (sinks.jsonl, sinks.csv):
                if file.exists():
                    moved += 1
                    file.rename(f"{file}.{moved:06}")
            time.sleep(0.05)

    sinks.daemon.start(*sinks.options, stable=0)
    consumer = threading.Thread(target=take, daemon=True)
    consumer.start()
    sinks.daemon.until(lambda: len(sinks.daemon.printed()) == len(contents), seconds=60)
    assert sinks.daemon.end(signal.SIGTERM) == 0
    ended.set()
    consumer.join()
    results = [json.loads(path.read_text()) for path in taken.iterdir()] + sinks.daemon.stored()
    for found in (results, sinks.json_lines()):
        assert sinks.daemon.answers(found, contents)
    assert Counter(row["sha256"] for row in sinks.rows()) == Counter(result["source"]["sha256"] for result in results)


NAMES = [
    *(b"new\nline.jpeg", b"-rf.jpeg", b"a" * 250 + b".jpeg", b"\xff\xfe.jpeg", b"$(x) ; `y`*.jpeg", b"x .jpeg"),
    *("👁.jpeg".encode(), "e\u0301.jpeg".encode(), "\u00e9.jpeg".encode(), b"=1+1.jpeg", b'"q",.jpeg', b"..jpeg.jpeg"),
]


def test_any_name_is_one_line_everywhere_and_a_plain_name_in_every_folder(sinks: Sinks, distinct: Distinct) -> None:
    good = distinct(2 * len(NAMES))[::2]
    contents = [content for scan in good for content in (scan, scan[:3000] + scan[-2:])]
    for i, name in enumerate(NAMES):
        (sinks.daemon.inbox / os.fsdecode(name)).write_bytes(contents[2 * i])
    assert sinks.daemon.once(*sinks.options, stable=0) == 0
    for i, name in enumerate(NAMES):  # the same names again, now for what is turned away
        (sinks.daemon.inbox / os.fsdecode(name)).write_bytes(contents[2 * i + 1])
    assert sinks.daemon.once(*sinks.options, stable=0) == 1
    seen = [NAMES[i] for i in range(len(NAMES)) if not NAMES[i].startswith(b".")]
    expected = {os.fsdecode(name).encode(errors="backslashreplace").decode() for name in seen}
    assert {line["source"]["name"] for line in sinks.json_lines()} == expected
    asked = [content for i, name in enumerate(NAMES) if name in seen for content in contents[2 * i : 2 * i + 2]]
    assert sinks.agree(asked)
    for folder in (sinks.daemon.output, sinks.quarantine):
        assert all(re.fullmatch(r"[\w-]{1,80}\.[0-9a-f]{16}\.(reason\.)?\w+", path.name) for path in folder.iterdir())
    assert {path.name for path in sinks.daemon.folder.iterdir()} >= {"inbox", "results", "lines"}
    assert {os.fsencode(path.name): path.read_bytes() for path in sinks.daemon.inbox.iterdir()} == {
        name: contents[2 * i + 1] for i, name in enumerate(NAMES)
    }


def test_logrotate_as_it_is_documented_moves_lines_away_and_none_is_lost(sinks: Sinks, mixed: Distinct) -> None:
    if os.geteuid() or not shutil.which("logrotate"):
        pytest.skip("needs root and logrotate")
    (documented,) = re.findall(r"```text\n(/var/lib/\S+ .*?)```", LEDGER_PAGE.read_text(), re.DOTALL)
    rules = documented.replace("/var/lib/oct-edge/results", str(sinks.lines / "all"))
    (sinks.daemon.folder / "rules").write_text(rules.replace("su oct-edge oct-edge", "su root root"))
    rotate = ["logrotate", "--force", "--state", sinks.daemon.folder / "rotated", sinks.daemon.folder / "rules"]
    contents = mixed(60)
    sinks.daemon.start(*sinks.options, stable=0)
    for i, content in enumerate(contents):
        (sinks.daemon.inbox / f"{i}.jpeg").write_bytes(content)
        if i % 20 == 19:
            before = len(sinks.daemon.printed())
            sinks.daemon.until(lambda before=before: len(sinks.daemon.printed()) > before)
            subprocess.run(rotate, check=True)
    sinks.daemon.until(lambda: len(sinks.daemon.printed()) == 60)
    sinks.daemon.end(signal.SIGKILL)
    for packed in sinks.lines.glob("*.gz"):
        subprocess.run(["gunzip", packed], check=True)
    assert len(list(sinks.lines.glob("all.jsonl.*"))) >= 2  # a rotation that finds no new line does nothing
    assert sinks.agree(contents)
